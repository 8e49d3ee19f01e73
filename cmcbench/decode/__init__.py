"""Decode: reconstructions from captions and references."""
