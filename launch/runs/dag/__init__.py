"""Pipelines as kfp compiles them: their signatures, loops and wiring, and those that begin with what earlier runs wrote."""
