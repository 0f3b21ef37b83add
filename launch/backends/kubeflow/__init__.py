"""Kubeflow Pipelines: what is asked of it, what a stage is there, and what of a run can be gone on from."""
