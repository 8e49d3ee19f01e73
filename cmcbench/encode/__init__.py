"""Encode: captions and references from the ground truth."""
