"""The command line: a module per command, with its flags, one call into runs and backends, and its words."""
