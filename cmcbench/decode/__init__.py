"""Step 2: reconstructions from captions and references."""
