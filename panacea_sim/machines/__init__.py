"""The machines: builders of descriptions."""
