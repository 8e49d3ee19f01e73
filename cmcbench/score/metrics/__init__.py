"""The metrics, one a file. registry knows them by name; base says what a metric is."""
