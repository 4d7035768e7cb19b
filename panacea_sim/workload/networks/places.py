"""Naming the place in a file in what is refused about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from panacea_sim.errors import ConfigError

__all__ = ["placed"]


@contextmanager
def placed(prefix: str) -> Iterator[None]:
    """Write a prefix, which names a place in a file, before the field of a ConfigError that the code inside raises."""
    try:
        yield
    except ConfigError as error:
        field = error.field.removeprefix("layer.")
        raise ConfigError(f"{prefix}{field}", error.found, error.accepted, error.hint) from error
