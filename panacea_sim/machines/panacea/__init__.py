"""The Panacea machine: slices, run-length codes, PE arrays."""

from panacea_sim.machines.panacea.build import Panacea

__all__ = ["MACHINE"]

MACHINE = Panacea()
"""What the registry of machines finds under the name of this package."""
