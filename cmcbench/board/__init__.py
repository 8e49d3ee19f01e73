"""Board: what the scores say, as tables."""
