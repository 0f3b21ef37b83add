"""Commands that answer how many days lie between photos, by the models of a run, or make it ready to answer: no pipeline runs."""
