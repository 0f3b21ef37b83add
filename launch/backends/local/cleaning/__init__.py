"""What goes from this machine's disk: runs that a person deletes, what only they used, and what killed runs left behind."""
