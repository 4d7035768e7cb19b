"""A layer of a run: with operands, or with skip masks only."""

from __future__ import annotations

from typing import TypeAlias

from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.masked_layer import MaskedLayer

__all__ = ["Layer"]

Layer: TypeAlias = GemmLayer | MaskedLayer
