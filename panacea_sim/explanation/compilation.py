"""The walk and the sweep are compiled where numba works, and are plain Python where it does not: slow, but the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from panacea_sim.engines.compiled.availability import compiled_obstacle

__all__ = ["entry", "inner"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def entry(function: _Function) -> _Function:
    """Compile a function that Python calls, if that is possible."""
    if compiled_obstacle() is not None:
        return function
    from panacea_sim.engines.compiled.compilation import entry as compiled  # noqa: PLC0415  # numba may be missing

    return cast("_Function", compiled(function))


def inner(function: _Function) -> _Function:
    """Compile a function that only compiled ones call, if that is possible."""
    if compiled_obstacle() is not None:
        return function
    from panacea_sim.engines.compiled.compilation import inner as compiled  # noqa: PLC0415  # the same

    return cast("_Function", compiled(function))
