"""Folders for what lives no longer than this process."""

from __future__ import annotations

from tempfile import TemporaryDirectory

from panacea_sim.errors import ConfigError

__all__ = ["temporary_folder"]


def temporary_folder() -> TemporaryDirectory[str]:
    """Return a new temporary folder; raises ConfigError if there can be none."""
    try:
        return TemporaryDirectory(prefix="panacea-sim-")
    except OSError as error:
        raise ConfigError("TMPDIR", error.strerror or error, "a folder that can be written") from error
