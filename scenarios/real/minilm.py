"""All of MiniLM on 128 tokens of real text: 36 linear layers and the attention of 12 heads in 6 blocks."""

from real_models import real_model

from panacea_sim import run_script

scenario = real_model("minilm", "minilm_fp32.onnx", "minilm_text.npz")

if __name__ == "__main__":
    run_script()
