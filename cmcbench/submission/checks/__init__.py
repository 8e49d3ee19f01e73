"""What `verify` checks, one kind a file. They read a stranger's files with readers of their own, on purpose."""
