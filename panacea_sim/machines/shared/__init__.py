"""What machines share: streams, accumulator, post-processing, the program of planned layers."""
