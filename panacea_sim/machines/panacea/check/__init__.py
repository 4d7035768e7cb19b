"""Values that are checked without events: what the components do to every tile, compiled."""
