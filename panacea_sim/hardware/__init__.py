"""What the work runs on: configuration and presets."""
