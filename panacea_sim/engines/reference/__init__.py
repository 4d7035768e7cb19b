"""The reference engine: SimPy processes, with values."""
