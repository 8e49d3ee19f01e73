"""What the receiving side keeps of submissions, and what submitters tell: read by submission and board."""
