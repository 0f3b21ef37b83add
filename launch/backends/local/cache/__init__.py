"""When a stage need not run again: what its result depends on besides its inputs, and what is taken for equal.

computed_by and packages tell of the machine and its Python; stage_cache finds a result and verifies it; inspected remembers what
raw data was found to mean.
"""
