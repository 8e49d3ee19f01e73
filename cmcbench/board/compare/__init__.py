"""Which differences between targets are significant."""
