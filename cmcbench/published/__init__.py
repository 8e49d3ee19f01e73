"""Facts of the published benchmark: its data set (counts, files, digests of weights) and its tables.

Nothing here is computed; whoever needs a published fact reads it from here, so that it stands in one place.
"""
