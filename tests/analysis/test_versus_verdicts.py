"""Who wins, in words: from made-up energies and cycles, one rule after the other."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import pytest

from panacea_sim.analysis.versus.contender import Accuracy, Contender, Part, Versus
from panacea_sim.analysis.versus.verdicts import energy_verdict, headlines
from panacea_sim.energy.ranges import Range

_Cases = tuple[int, int, int]


@dataclass(frozen=True)
class _Run:
    total: Range | None


@dataclass(frozen=True)
class _Energy:
    run: _Run


@dataclass(frozen=True)
class _Made:
    """A contender of which only what verdicts look at is there."""

    name: str
    cycles: int
    cases: tuple[_Cases | None, _Cases | None] = ((9, 10, 12), (4, 5, 6))
    said: str = ""
    is_bound: bool = False
    accuracy: Accuracy | None = None

    @property
    def energies(self) -> dict[str, _Energy]:
        """The energy by each table."""
        return {
            name: _Energy(_Run(_range(cases))) for name, cases in zip(("default", "bitfusion"), self.cases, strict=True)
        }


def _range(cases: _Cases | None) -> Range | None:
    return None if cases is None else Range(*map(Fraction, cases))


def _made(
    name: str, cycles: int, *energy: _Cases | None, bound: bool = False, accuracy: Accuracy | None = None
) -> Contender:
    cases = {} if not energy else {"cases": energy}
    made: Any = _Made(name, cycles, is_bound=bound, accuracy=accuracy, **cast("Any", cases))
    return cast("Contender", made)


@pytest.mark.parametrize(
    ("default", "bitfusion", "verdict"),
    [
        ((80, 90, 95), (80, 90, 95), "less"),
        ((110, 120, 130), (110, 120, 130), "more"),
        ((80, 90, 95), (110, 120, 130), "depends on the table"),
        ((110, 120, 130), (80, 90, 95), "depends on the table"),
        ((80, 90, 101), (80, 90, 95), "within the range"),
        ((80, 90, 95), (80, 96, 95), "within the range"),
        ((99, 120, 130), (110, 120, 130), "within the range"),
        (None, (80, 90, 95), "unknown"),
    ],
)
def test_less_energy(default: _Cases | None, bitfusion: _Cases, verdict: str) -> None:
    """A machine takes less only by both tables, in every case, and by a twentieth at least."""
    other = _made("other", 10, (100, 100, 100), (100, 100, 100))
    assert energy_verdict(_made("one", 10, default, bitfusion), other) == verdict


def _told(*contenders: Contender, champion: str | None = "panacea") -> list[str]:
    part = Part("per channel", "measured", contenders)
    return headlines(Versus("net", "terms", "multipliers", "simd", champion, None, (part,)))


def test_a_rival_that_wins_is_named_first() -> None:
    """So is by how much, and where the champion would stand at its best split and at most; bounds win nothing."""
    lines = _told(
        _made("panacea", 150, accuracy=Accuracy(None)),
        _made("panacea_best", 120),
        _made("panacea_pooled", 80, bound=True),
        _made("sibia", 100, accuracy=Accuracy(16.04)),
        _made("simd", 300),
    )
    assert lines[0] == (
        "sibia is fastest: 100 cycles, 1.50 times as fast as panacea, with outputs of 16.0 dB beside none lost, "
        "at equal multipliers"
    )
    assert lines[1] == (
        "against sibia, the fastest rival, with its speed as 1: "
        "panacea 0.67 times; panacea_best 0.83 times; panacea_pooled 1.25 times, "
        "with outputs of none lost beside 16.0 dB"
    )


def test_a_champion_that_wins_says_over_whom() -> None:
    """Its own best split is no rival."""
    lines = _told(_made("panacea", 100), _made("panacea_best", 100), _made("sibia", 150), _made("simd", 300))
    assert lines[0] == "panacea is fastest: 100 cycles, 1.50 times as fast as sibia, at equal multipliers"
    assert lines[1].startswith("against sibia, the fastest rival")
    assert "panacea 1.50 times" in lines[1]


def test_energy_that_tables_see_otherwise_is_no_victory() -> None:
    """The winner of each table is named, and rivals of whom nothing can be said."""
    lines = _told(
        _made("panacea", 100, (10, 10, 10), (5, 5, 5)),
        _made("simd", 300, (8, 8, 8), (6, 6, 6)),
        _made("sa_os", 300, (20, 20, 20), (20, 20, 20)),
    )
    assert lines[2] == (
        "panacea takes less energy than sa_os; cannot be told in energy, as the tables disagree, from simd"
    )
    assert lines[3] == "who takes least energy depends on the table of figures: simd by default, panacea by bitfusion"


def test_without_a_champion_rivals_are_compared() -> None:
    """The fastest is told over the next one; energy by both tables."""
    lines = _told(_made("simd", 300), _made("sa_os", 200, (1, 1, 1), (1, 1, 1)), champion=None)
    assert lines == [
        "sa_os is fastest: 200 cycles, 1.50 times as fast as simd, at equal multipliers",
        "sa_os takes least energy, by the tables default and bitfusion alike",
    ]


def test_a_champion_alone_has_nobody_to_stand_against() -> None:
    """One machine is fastest, and missing figures are said."""
    lines = _told(_made("panacea", 100, None, (1, 1, 1)))
    assert lines == [
        "panacea is fastest: 100 cycles, at equal multipliers",
        "least energy: unknown, as figures are missing",
    ]
