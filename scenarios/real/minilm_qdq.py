"""MiniLM as onnxruntime quantizes it: weights and activations are the integers of the file and of a real run."""

from real_models import real_model

from panacea_sim import run_script

scenario = real_model("minilm_qdq", "minilm_qdq_w7.onnx", "minilm_text.npz")

if __name__ == "__main__":
    run_script()
