"""Metrics of what a picture shows: what its caption says, what it looks like to a network, what is written in it."""
