"""What-if: a run made again on changed machines, never estimated."""
