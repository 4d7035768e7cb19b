"""Whether the compiled engine can run here: the one place that imports numba to find out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module

__all__ = ["Obstacle", "compiled_obstacle"]

_NUMBA = "numba"


@dataclass(frozen=True)
class Obstacle:
    """Why the compiled engine cannot run, and what to do; `is_broken` where numba is there but does not work."""

    reason: str
    hint: str
    is_broken: bool


@cache
def compiled_obstacle() -> Obstacle | None:
    """Return what stands in the way of the compiled engine, None if nothing does; it is imported for that, once."""
    try:
        import_module("panacea_sim.engines.compiled.engine")
    except Exception as error:  # noqa: BLE001  # a numba that does not fit numpy, LLVM or Python can raise anything
        if isinstance(error, ModuleNotFoundError) and error.name == _NUMBA:
            return Obstacle(
                "numba is not installed", "Install it with: pip install 'panacea-sim[compiled]'", is_broken=False
            )
        reason = f"numba cannot be imported ({type(error).__name__}: {error})"
        return Obstacle(
            reason, "Install it anew: pip install --force-reinstall 'panacea-sim[compiled]'", is_broken=True
        )
    return None
