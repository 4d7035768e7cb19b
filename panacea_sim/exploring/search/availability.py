"""Whether Optuna is there: the extra optimize."""

from __future__ import annotations

import importlib.util

from panacea_sim.errors import ConfigError

__all__ = ["check_optuna"]


def check_optuna() -> None:
    """Raise ConfigError where Optuna is not installed."""
    if importlib.util.find_spec("optuna") is None:
        hint = "Install it with: pip install 'panacea-sim[optimize]'. Or take sweep, which runs all points"
        raise ConfigError("optimize", "Optuna is not installed", "the extra optimize", hint)
