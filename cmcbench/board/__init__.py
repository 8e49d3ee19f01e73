"""What is made of scored targets: leaderboard, curves, comparisons, the report page."""
