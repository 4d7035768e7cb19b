"""A text detector in the manner of MobileNetV3: depthwise convolutions, where a product has few rows."""

from real_models import real_model

from panacea_sim import run_script

scenario = real_model("ocr", "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", "ocr_images.npz")

if __name__ == "__main__":
    run_script()
