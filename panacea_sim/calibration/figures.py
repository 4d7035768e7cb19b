"""What a calibrated layer skips and what it costs, measured on held-out samples."""

from __future__ import annotations

from dataclasses import dataclass, field

from panacea_sim.calibration.skipping import Counts, Work
from panacea_sim.quant.accuracy import OutputError

__all__ = ["LayerFigures", "SkipSteps"]


@dataclass(frozen=True)
class SkipSteps:
    """The share of skipped activation vectors, step by step towards Panacea, on held-out samples.

    `zero` skips slices that are 0, `frequent` those of the zero point, both as min-max (or a percentile) gives it;
    `zpm` moves the zero point first, `dbs` chooses l too. `symmetric` is the share of zero vectors of 7-bit symmetric
    codes over the same range, as machines without zero points have them. None: the width has no such step, or no HO
    slice.
    """

    zero: float | None
    frequent: float | None
    zpm: float | None
    dbs: float | None
    symmetric: float | None


@dataclass(frozen=True)
class LayerFigures:
    """Figures of samples, which add up: skipped vectors, saturated activations, the error of outputs, and the work.

    `weights` has the vectors of each HO slice, least significant first. Outputs are the real ones, without bias and
    function, against those of float.
    """

    steps: SkipSteps
    weights: tuple[Counts, ...] = ()
    activations: Counts = field(default_factory=Counts)
    clipped: Counts = field(default_factory=Counts)
    error: OutputError = field(default_factory=OutputError)
    work: Work = field(default_factory=Work)

    def __add__(self, other: LayerFigures) -> LayerFigures:
        """Return the figures of both."""
        pairs = zip(self.weights, other.weights, strict=True) if self.weights else ()
        return LayerFigures(
            self.steps,
            tuple(mine + others for mine, others in pairs) or other.weights,
            self.activations + other.activations,
            self.clipped + other.clipped,
            self.error + other.error,
            self.work + other.work,
        )

    @property
    def rho_w(self) -> tuple[float | None, ...]:
        """The share of zero vectors in each HO slice of the weight, least significant first."""
        return tuple(each.share for each in self.weights)

    @property
    def rho_x(self) -> float | None:
        """The share of skipped activation vectors, over all HO slices."""
        return self.activations.share

    @property
    def clipped_share(self) -> float:
        """The share of activations whose code lies outside of the range."""
        return self.clipped.share or 0.0

    @property
    def sqnr_db(self) -> float | None:
        """The ratio of the real outputs to their error in decibels; None if there is no error."""
        return self.error.sqnr_db
