"""Targets that no decoder of models/ makes: picture codecs, and imported results of others."""
