"""Discrete-event system simulator of the Panacea DNN accelerator."""
