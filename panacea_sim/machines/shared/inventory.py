"""The parts that all machines have: on-chip memories with their banks, and the DRAM device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from panacea_sim.description.inventory import CUSTOM_DEVICE, Inventory, Sram
from panacea_sim.hardware.config import Hardware
from panacea_sim.hardware.dram.devices import IDEAL, is_named_device

__all__ = ["CODED_PARTS", "DEALING", "inventory_of"]

DEALING = "dealing tiles to the PEAs"

CODED_PARTS = ("run-length codecs", DEALING, "buffers of decoded tiles")
"""Parts of machines with PEAs and the run-length code, for which nobody has a figure."""

_OPERAND_BANKS, _OUTPUT_BANKS = 4, 16
"""Our assumption (A): WMEM, AMEM and VMEM serve a fetch and a task at a time, OMEM many lanes."""

_LEFT_OUT = (
    "queues",
    "function tables and requantization of the PPU",
    "joining the sums of the computing components, and adding those of later visits",
    "leakage of logic",
    "clock tree and controllers",
    "DRAM controller and PHY",
)

_NO_UNITS: Mapping[str, Mapping[str, int]] = MappingProxyType({})


def inventory_of(
    hardware: Hardware, units: Mapping[str, Mapping[str, int]] = _NO_UNITS, left_out: tuple[str, ...] = ()
) -> Inventory:
    """Return the inventory of a machine with these units of arithmetic, and with parts that nobody has figures for.

    Partial sums lie in a part of OMEM; VMEM is there where vector work is not fused.
    """
    return Inventory(
        tuple(_memories(hardware)), dict(units), (*left_out, *_LEFT_OUT), _device(hardware), hardware.dram_channels
    )


def _memories(hardware: Hardware) -> Iterator[Sram]:
    yield Sram("WMEM", hardware.wmem_bytes, _OPERAND_BANKS)
    yield Sram("AMEM", hardware.amem_bytes, _OPERAND_BANKS)
    yield Sram("OMEM", hardware.omem_bytes, _OUTPUT_BANKS)
    if hardware.vector == "unfused":
        yield Sram("VMEM", hardware.vmem_bytes, _OPERAND_BANKS)


def _device(hardware: Hardware) -> str:
    dram = hardware.dram
    return dram if dram == IDEAL or is_named_device(dram) else CUSTOM_DEVICE
