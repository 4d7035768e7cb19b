"""Which fields of the hardware relieve what a run waits for, as far as machines share it: memory, queues and streams."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["SHARED_RATES", "shared_relief"]

SHARED_RATES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"accumulator": ("accumulator_lanes", "omem_bytes_per_cycle"), "ppu": ("ppu_lanes", "omem_bytes_per_cycle")}
)
"""The fields that say how fast the components serve which most machines have."""

_MEMORIES = {"WMEM": "wmem_bytes", "AMEM": "amem_bytes", "OMEM": "omem_bytes", "PSUM": "psum_bytes"}
_PRIORITIES = {name: f"{name}_priority" for name in ("w_dma", "x_dma", "o_dma", "s_dma")}
_CHANNELS = ("dram_channels", "dram_bytes_per_cycle")
_DEVICES = (*_CHANNELS, "dram_policy", "dram_map", "dram_page", "outstanding")


def shared_relief(kind: str, name: str) -> tuple[str, ...]:
    """Return the fields behind a stretch of the critical path or a limit of this kind, the likeliest first.

    Where `name` is that of a queue or store with a latency, only its machine knows. An empty result means that no field
    of the hardware changes it: dataflow.
    """
    if kind in {"transfer", "device"}:
        return _CHANNELS if kind == "transfer" else _DEVICES
    if kind == "latency":
        return ("dram_latency_cycles", "outstanding")
    if kind == "queue":
        return ("queue_depth",)
    if kind == "memory":
        return (_MEMORIES[name],) if name in _MEMORIES else ()
    if kind == "slot":
        return ("outstanding",)
    if kind == "order":
        return (_PRIORITIES[name],) if name in _PRIORITIES else ()
    return SHARED_RATES.get(name, ()) if kind == "service" else ()
