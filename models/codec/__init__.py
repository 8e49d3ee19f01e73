"""Learned codecs, one a file: what turns pictures into streams and back."""
