"""The compiled engine, loaded before other processes need it."""

from __future__ import annotations

__all__ = ["load_compiled_engine"]


def load_compiled_engine() -> None:
    """Compile the engine, or load it: each worker would compile it otherwise."""
    # It takes a while and need not be installed.
    from panacea_sim.engines.compiled.engine import load_compiled  # noqa: PLC0415

    load_compiled()
