"""Submissions: what they must have, how they are packed, and how they are verified."""
