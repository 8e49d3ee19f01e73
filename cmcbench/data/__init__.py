"""Downloads of the published data."""
