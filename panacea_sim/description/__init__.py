"""The one description of a machine and its work, from which every engine is built."""
