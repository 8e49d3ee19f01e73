"""Step 3: scores of reconstructions, their means and intervals."""
