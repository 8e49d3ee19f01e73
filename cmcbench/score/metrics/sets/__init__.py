"""Measures of sets as papers on learned compression print them: FID and KID of patches, KID, and other features."""
