"""Rate-distortion curves of scored targets, and the Bjontegaard deltas between them."""
