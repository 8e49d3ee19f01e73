"""The leaderboard: rows (entries), places (ranking) and the tables they are shown in.

Others use `update`, which writes it, and `collect` and `ranked_entries`, which return its rows.
"""

from .build import collect, ranked_entries, update

__all__ = ["collect", "ranked_entries", "update"]
