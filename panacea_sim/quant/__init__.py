"""What a value is: slices, vectors, run-length code, quantizers and the AQS-GEMM product."""
