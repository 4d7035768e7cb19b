"""Many points of a design space: sweeps, the workers on which their points run, and the folder that keeps them."""
