"""Which fields of the hardware relieve what a run waits for, as far as machines share its parts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["shared_relief"]

_CHANNELS = ("dram_channels", "dram_bytes_per_cycle")
_OPERANDS = ("tile_n", "wmem_bytes", "amem_bytes")
"""What decides how often operands are fetched: fewer bytes relieve a channel as more bandwidth does."""

_OF_KIND: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "transfer": _CHANNELS,
        "device": (*_CHANNELS, "dram_policy", "dram_map", "dram_page", "outstanding"),
        "latency": ("dram_latency_cycles", "outstanding"),
        "queue": ("queue_depth",),
        "slot": ("outstanding",),
    }
)
_OF_NAME: Mapping[tuple[str, str], tuple[str, ...]] = MappingProxyType(
    {
        **{("memory", name): (f"{name.lower()}_bytes",) for name in ("WMEM", "AMEM", "OMEM", "PSUM", "VMEM")},
        **{("order", name): (f"{name}_priority",) for name in ("w_dma", "x_dma", "o_dma", "s_dma")},
        **{("transfer", name): (*_CHANNELS, *_OPERANDS) for name in ("w_dma", "x_dma")},
        ("service", "accumulator"): ("accumulator_lanes", "omem_bytes_per_cycle"),
        ("service", "ppu"): ("ppu_lanes", "omem_bytes_per_cycle"),
    }
)


def shared_relief(kind: str, name: str) -> tuple[str, ...]:
    """Return the fields behind a stretch of the critical path or a limit of this kind, the likeliest first.

    Nothing where no field that all machines have changes it: dataflow, and what a machine's own parts do.
    """
    return _OF_NAME.get((kind, name)) or _OF_KIND.get(kind, ())
