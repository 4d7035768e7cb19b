"""The calibrator for scripts: it observes real operands by the names of layers, and makes quantized layers of them."""

from __future__ import annotations

import numpy.typing as npt

from panacea_sim.calibration.calibrated import CalibratedLayer, calibrate
from panacea_sim.calibration.observed import ObservedLayer
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.calibration.search import Search, search
from panacea_sim.errors import ConfigError, nearest_name

__all__ = ["Calibrator"]


class Calibrator:
    """Observes layers sample by sample, and calibrates them by a policy.

    `v` and `tile_k` are those of the machine whose vectors are counted. All operands are kept, as float32 where they
    are no wider: for a large network observe some layers at a time.
    """

    def __init__(self, policy: QuantizationPolicy | None = None, v: int = 4, tile_k: int = 32) -> None:
        self.policy = QuantizationPolicy() if policy is None else policy
        self._v, self._tile_k = v, tile_k
        self._observed: dict[str, ObservedLayer] = {}

    def observe(
        self,
        name: str,
        weight: npt.ArrayLike,
        activation: npt.ArrayLike,
        *,
        bias: npt.ArrayLike | None = None,
        dynamic_weight: bool = False,
    ) -> None:
        """Add a sample of a layer: real weight [M, K] and activation [K, N], columns are tokens or pixels.

        Of R products they are [R, M, K] and [R, K, N]. `dynamic_weight`: the weight is the output of other layers, as K
        and V of attention are. Raises ConfigError naming the layer for operands that are none, that do not fit each
        other, and for a weight that has changed.
        """
        if not isinstance(name, str) or not name:
            raise ConfigError("name", repr(name), "text that is not empty")
        observed = self._observed.setdefault(name, ObservedLayer(name, dynamic_weight))
        try:
            if observed.is_dynamic is not dynamic_weight:
                raise ConfigError(f"layer {name!r}", f"dynamic_weight={dynamic_weight}", "what the first sample said")
            observed.add(weight, activation, bias)
        finally:
            if not observed.samples:
                del self._observed[name]

    def __len__(self) -> int:
        """Return how many layers were observed."""
        return len(self._observed)

    def layer(self, name: str) -> CalibratedLayer:
        """Return a layer as the policy quantizes it; raises ConfigError for a name that was not observed."""
        return calibrate(self._known(name), self.policy, self._v, self._tile_k)

    def layers(self) -> tuple[CalibratedLayer, ...]:
        """Return all layers as the policy quantizes them, in the order in which they were observed first."""
        return tuple(map(self.layer, self._observed))

    def search(self, name: str, min_sqnr_db: float | None = None) -> Search:
        """Return the policies that were tried for a layer, and the one that skips most work within an error.

        `min_sqnr_db` is the least SQNR of its outputs; None: 3 dB below that of min-max without ZPM and DBS.
        """
        return search(self._known(name), self.policy, min_sqnr_db, self._v, self._tile_k)

    def _known(self, name: str) -> ObservedLayer:
        if name not in self._observed:
            accepted = ", ".join(self._observed) or "nothing: no layer was observed"
            raise ConfigError("layer", repr(name), accepted, nearest_name(name, list(self._observed)))
        return self._observed[name]
