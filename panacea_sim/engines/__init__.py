"""The engines that run a description, and what they return."""
