"""ONNX model files as networks: their products, what these need of each other, and the numbers that they multiply."""
