"""Running: scenarios, what is known before a run, the choice of a mapping, runs and their layers."""
