"""What each thing that Panacea does gains over the one before, on four real layers of MiniLM."""

from collections.abc import Iterator
from pathlib import Path

from versus_script import Pairing, show

from panacea_sim.running.versus.fight import ablation_fight
from panacea_sim.workload.samples import layer_path

DATA = Path(__file__).resolve().parents[1] / "data"
LAYERS = ("qkv", "out", "ffn1", "ffn2")


def pairings() -> Iterator[Pairing]:
    """Yield the steps with each layer, without ZPM and DBS, with ZPM, and with both."""
    for layer in LAYERS:
        plain, zpm = (DATA / f"minilm_l3_{layer}_{variant}.npz" for variant in ("plain", "zpm"))
        yield ablation_fight(layer_path(f"minilm_l3_{layer}_dbs"), plain, zpm)


if __name__ == "__main__":
    show(__doc__, pairings)
