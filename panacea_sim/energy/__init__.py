"""Energy and area: what a run counted, times the figures of a table."""
