"""Machines against each other on one workload: which there are, on which terms, and their runs."""
