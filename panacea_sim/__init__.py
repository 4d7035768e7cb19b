"""Discrete-event system simulator of the Panacea DNN accelerator."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from panacea_sim.report.notebook import Run

__all__ = ["Run"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # pyarrow takes a tenth of a second to import, which who only wants a part of the package should not pay.
    if name == "Run":
        from panacea_sim.report.notebook import Run  # noqa: PLC0415

        return Run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
