"""Step 1: captions of the ground truth, and references on request."""
