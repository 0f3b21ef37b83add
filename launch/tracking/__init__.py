"""The runs of this machine, side by side in MLflow's UI."""
