"""The machine: its description, its components and the engine that runs them."""
