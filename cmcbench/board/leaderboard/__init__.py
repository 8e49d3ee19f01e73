"""The leaderboard: rows (entries), places (ranking) and the tables they are shown in."""
