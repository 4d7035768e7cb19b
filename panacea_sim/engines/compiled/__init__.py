"""The compiled engine: the description evaluated by numba, without values."""
