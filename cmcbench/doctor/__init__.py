"""What is there, what is missing, and the command that mends each."""
