"""All of SmolLM2-135M on 128 tokens of real text: 30 blocks and the head, weights of a GGUF file."""

from real_models import real_model

from panacea_sim import run_script

scenario = real_model("smollm2", "smollm2.onnx", "smollm2_text.npz")

if __name__ == "__main__":
    run_script()
