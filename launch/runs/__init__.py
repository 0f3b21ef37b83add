"""What a run is, wherever it runs: its parameters, its plan, its record, and what it can be gone on from."""
