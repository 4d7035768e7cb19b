"""The package for scripts and notebooks: simulate, look, ask why, change and compare, without files."""
