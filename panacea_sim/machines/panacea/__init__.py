"""The Panacea machine: slices, run-length codes, PE arrays."""
