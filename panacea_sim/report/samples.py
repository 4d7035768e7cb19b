"""The layers that come with the package, for the terminal."""

from __future__ import annotations

from rich.console import Console

from panacea_sim.report.tables import Column, print_table
from panacea_sim.workload.layer_file import layer_file
from panacea_sim.workload.samples import list_samples, sample_notice

__all__ = ["print_samples"]

_COLUMNS = (Column("layer", "name"), Column("M"), Column("K"), Column("N"))


def print_samples(console: Console) -> None:
    """Print the layers with their sizes, and where they come from."""
    layers = map(layer_file, list_samples())
    print_table(console, _COLUMNS, [(each.name, str(each.M), str(each.K), str(each.N)) for each in layers])
    console.print(" ".join(sample_notice().split()), markup=False, highlight=False)
