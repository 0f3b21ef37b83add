"""Plans: which stages are to run, with what, whoever runs them. `run` and `submit`, `rerun` and `score` each make one."""
