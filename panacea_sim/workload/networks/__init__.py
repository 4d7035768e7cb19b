"""Whole networks before they have operands: the zoo, tables and files of layers, and how layers become products."""
