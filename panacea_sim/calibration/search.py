"""The search for the policy of a layer that skips most work and keeps its outputs as good as asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

from panacea_sim.calibration.calibrated import Calibration, LayerRecord, LayerScales, record_of
from panacea_sim.calibration.observed import ObservedLayer
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.calibration.skipping import Work
from panacea_sim.checks import require_number

__all__ = ["ALLOWED_LOSS_DB", "FrontierPoint", "Search", "frontier", "search"]

ALLOWED_LOSS_DB = 3.0
"""What a layer may lose by default against min-max without ZPM and DBS."""

_PERCENTILES = (None, 99.9)
_Z = (None, 1.0, 1.5, 2.0)


@dataclass(frozen=True, eq=False)
class Search:
    """The policies tried for a layer, first min-max without ZPM and DBS, and the least SQNR that is asked for."""

    tried: tuple[LayerRecord, ...]
    min_sqnr_db: float

    @property
    def plain(self) -> LayerRecord:
        """Min-max without ZPM and DBS."""
        return self.tried[0]

    @property
    def chosen(self) -> LayerRecord:
        """What skips most work within the error, of equal ones the most exact; the most exact of all if none is."""
        good = [each for each in self.tried if _sqnr(each) >= self.min_sqnr_db]
        if not good:
            return max(self.tried, key=_sqnr)
        return max(good, key=lambda each: (each.figures.work.skipped_share, _sqnr(each)))

    def within(self, loss_db: float) -> LayerRecord:
        """Return what skips most if so much may be lost against min-max without ZPM and DBS."""
        return replace(self, min_sqnr_db=_sqnr(self.plain) - loss_db).chosen


@dataclass(frozen=True)
class FrontierPoint:
    """The share of the work of all layers that can be skipped if each may lose so many decibels."""

    loss_db: float
    skipped_share: float


def search(
    observed: ObservedLayer,
    policy: QuantizationPolicy,
    min_sqnr_db: float | None = None,
    v: int = 4,
    tile_k: int = 32,
) -> Search:
    """Return the policies tried for a layer: ranges, ZPM, z of DBS and scales of weights in all combinations.

    Of those that choose the same numbers only the first is kept. Widths and `dbs_offset` are those of `policy`. Raises
    ConfigError for a bound that is no number.
    """
    if min_sqnr_db is not None:
        require_number("min_sqnr_db", min_sqnr_db, -inf)
    calibration = Calibration(observed, v, tile_k)
    chosen: dict[object, LayerScales] = {}
    for each in _candidates(policy, observed.is_dynamic):
        scales = calibration.scales(each)
        chosen.setdefault((scales.policy.per_channel, scales.quantizer), scales)
    tried = tuple(record_of(calibration.judged(scales)) for scales in chosen.values())
    least = _sqnr(tried[0]) - ALLOWED_LOSS_DB if min_sqnr_db is None else min_sqnr_db
    return Search(tried, least)


def frontier(searches: Sequence[Search], losses_db: Sequence[float]) -> tuple[FrontierPoint, ...]:
    """Return how much of all layers is skipped at each loss that every layer may have."""
    points = []
    for loss_db in losses_db:
        work = sum((each.within(loss_db).figures.work for each in searches), Work())
        points.append(FrontierPoint(loss_db, work.skipped_share))
    return tuple(points)


def _candidates(policy: QuantizationPolicy, is_dynamic: bool) -> Iterator[QuantizationPolicy]:  # noqa: FBT001
    """Return all policies of these widths; the first is min-max without ZPM and DBS, with the scales of `policy`."""
    scales = (policy.per_channel,) if is_dynamic else (policy.per_channel, not policy.per_channel)
    steps = [(zpm, z) for z in _Z for zpm in ("off", "auto")] if policy.has_steps else _PLAIN
    for per_channel in scales:
        for percentile in _PERCENTILES:
            for zpm, z in steps:
                yield replace(policy, per_channel=per_channel, percentile=percentile, zpm=zpm, dbs_z=z)  # type: ignore[arg-type]  # one of its words


_PLAIN: list[tuple[str, float | None]] = [("off", None)]


def _sqnr(layer: LayerRecord) -> float:
    return inf if layer.figures.sqnr_db is None else layer.figures.sqnr_db
