"""Searches: an algorithm of Optuna proposes the points of a design space, instead of a grid or a sample."""
