"""All machines on networks of the zoo: language models with few tokens, one token after many, and images."""

from collections.abc import Iterator

from versus_script import Pairing, show

from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.running.versus.fight import network_fight
from panacea_sim.running.versus.machines import entrants
from panacea_sim.workload.network import LayerGraph
from panacea_sim.workload.networks.load import load_network

WORKLOADS = {
    "bert-base": {"tokens": 32},
    "gpt-2": {"phase": "decode", "context": 256},
    "deit-base": {},
    "resnet-18": {},
}
"""Few tokens, so that all of it takes some minutes; a network of the zoo has the sizes of its publication without."""


def pairings() -> Iterator[Pairing]:
    """Yield all presets with each network, at the densities of both profiles of the package."""
    machines = entrants(None, {}, "multipliers")
    for name, sizes in WORKLOADS.items():

        def graph_of(profile: str, hardware: Hardware, name: str = name, sizes: dict = sizes) -> LayerGraph:
            quantization = machine_of(hardware).quantization
            return load_network(name, **sizes, profile=profile, quantization=quantization)

        yield machines, network_fight(graph_of, machines)


if __name__ == "__main__":
    show(__doc__, pairings)
