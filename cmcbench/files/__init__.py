"""The files between the steps, one kind a module: who reads and writes them is the table in docs/architecture.md.

store writes atomically and locks; untrusted reads what comes from strangers, within bounds.
"""
