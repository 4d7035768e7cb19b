"""A space of 539 machines for a small layer, and the energy x delay of all of them, kept in tiny_space.csv.

`python tests/exploring/tiny_space.py` runs all of them anew, which takes a minute: when cycles or energies move.
"""

from __future__ import annotations

import csv
from multiprocessing import Pool
from pathlib import Path

from panacea_sim.exploring.evaluate import Task, evaluate
from panacea_sim.exploring.maker import Maker, base_of
from panacea_sim.exploring.point import Point
from panacea_sim.exploring.points import points_of
from panacea_sim.exploring.sweep import Sweep
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.synthetic import synthetic_layer

KEPT = Path(__file__).with_name("tiny_space.csv")
SWEEP = Sweep(
    name="tiny space",
    scenario=Scenario(
        "tiny", synthetic_layer(name="l", M=256, K=128, N=64, rho_w=0.7, rho_x=0.4, seed=1), settings={"n_pea": 4}
    ),
    axes={
        "hardware.n_dwo": list(range(1, 12)),
        "hardware.n_swo": list(range(1, 12)),
        "hardware.wmem_bytes": [16384, 24576, 32768, 49152, 65536, 98304, 131072],
        "hardware.amem_bytes": [8192, 12288, 16384, 24576, 32768, 49152, 65536],
    },
    constraints=["n_dwo + n_swo == 12"],
    objectives=["edp_js"],
)


def kept() -> dict[tuple[int, ...], float]:
    """Return the energy x delay of all points, by the values of their axes."""
    with KEPT.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return {tuple(map(int, axes)): float(figure) for *axes, figure in rows}


def _run(point: Point) -> list[object]:
    record = evaluate(Maker(base_of(SWEEP)), Task("", point.settings))
    return [*point.settings.values(), record.objectives["edp_js"]]


def _write() -> None:
    with Pool(2) as pool:
        rows = pool.map(_run, points_of(SWEEP, Maker(base_of(SWEEP))), chunksize=16)
    with KEPT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([[*SWEEP.axis_names, "edp_js"], *rows])


if __name__ == "__main__":
    _write()
