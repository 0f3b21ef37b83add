"""What keeps a running stage to itself: a process or container that ends with the run, and a copy of the code that nobody edits.

processes and containers start stages, places says what a container sees of this machine, and code copies what the stages import.
"""
