"""CDC's parts: its networks, and the entropy coder that its authors leave out."""
