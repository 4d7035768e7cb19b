"""Calibration: real operands become quantized layers, with what each choice skips and what it costs."""
