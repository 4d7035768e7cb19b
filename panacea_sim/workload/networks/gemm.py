"""A matrix product of a network before it has operands: sizes, repeats, densities and the vector work behind it."""

from __future__ import annotations

from dataclasses import dataclass

from panacea_sim.bounds import Size
from panacea_sim.checks import require_flag, require_kind, require_share
from panacea_sim.errors import ConfigError
from panacea_sim.quant.slicing import weight_ho_factors
from panacea_sim.quant.widths import require_activation_bits, require_weight_bits
from panacea_sim.units import ceil_div
from panacea_sim.workload.networks.vector_work import require_vector_work, stage_of
from panacea_sim.workload.vector_stage import VectorStage

__all__ = ["Gemm"]


@dataclass(frozen=True)
class Gemm:
    """`repeat` products of equal size, W [M, K] times x [K, N], that run one after the other as one layer.

    `op` is the operator that it comes from, `kind` a free label that a density profile knows (qkv, qk, pv, out, ffn,
    conv ..), `block` the part of the network that it stands in, empty outside of blocks. `sequential`: a repeat needs
    all of the one before. `dynamic_weight`: the weight is the output of other layers. `rho_w` is the share of skipped
    vectors in each HO slice of the weight, `rho_x` that of the activation; None where nobody said. `packed` groups
    stand side by side in one product, with zeros between them that count as no multiplications. `vector` is the vector
    work between this layer and its consumers, which the last of its producers pays for.

    Raises ConfigError naming `layer.<field>`.
    """

    name: str
    op: str
    kind: str
    block: str
    M: int
    K: int
    N: int
    repeat: int = 1
    sequential: bool = False
    weight_bits: int = 7
    activation_bits: int = 8
    dynamic_weight: bool = False
    rho_w: tuple[float, ...] | None = None
    rho_x: float | None = None
    packed: int = 1
    vector: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check every field."""
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError("layer.name", repr(self.name), "text that is not empty")
        for field in ("M", "K", "N", "repeat", "packed"):
            require_kind(f"layer.{field}", getattr(self, field), Size)
        for field in ("sequential", "dynamic_weight"):
            require_flag(f"layer.{field}", getattr(self, field))
        require_weight_bits("layer.weight_bits", self.weight_bits)
        require_activation_bits("layer.activation_bits", self.activation_bits)
        self._check_densities()
        require_vector_work("layer.vector", self.vector)
        if self.M % self.packed or self.K % self.packed:
            raise ConfigError("layer.packed", self.packed, f"a divisor of M = {self.M} and K = {self.K}")

    @property
    def macs(self) -> int:
        """Multiplications of all repeats, without those with the zeros between packed groups."""
        return self.repeat * self.M * self.K * self.N // self.packed

    @property
    def stage(self) -> VectorStage | None:
        """The vector work behind this layer as a stage of its own, None without passes.

        That of a sequential layer stays in its products: each needs results of the one before.
        """
        return None if self.sequential else stage_of(self.vector)

    def tiles(self, tile_m: int, tile_k: int, tile_n: int) -> int:
        """Return the tile tasks of all repeats."""
        return self.repeat * ceil_div(self.M, tile_m) * ceil_div(self.K, tile_k) * ceil_div(self.N, tile_n)

    def _check_densities(self) -> None:
        if self.rho_w is not None:
            slices = len(weight_ho_factors(self.weight_bits))
            if len(self.rho_w) != slices:
                accepted = f"{slices}: one for each HO slice of {self.weight_bits}-bit weights"
                raise ConfigError("layer.rho_w", f"{len(self.rho_w)} shares", accepted)
            for share in self.rho_w:
                require_share("layer.rho_w", share)
        if self.rho_x is not None:
            require_share("layer.rho_x", self.rho_x)
