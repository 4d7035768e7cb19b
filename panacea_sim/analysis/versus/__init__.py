"""Machines against each other on one workload: figures of each, who wins on which terms, and all of it as JSON."""
