"""How the work is cut: tiles, the graph of tile groups, work arrays."""
