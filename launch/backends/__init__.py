"""The places where plans are executed, each with one interface: base. A further one is a folder here and a line in table."""
