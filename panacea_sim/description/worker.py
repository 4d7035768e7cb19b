"""What a component does to the values that travel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from panacea_sim.description.description import Description
from panacea_sim.errors import ConfigError, nearest_name

__all__ = ["Worker", "check_workers"]


class Worker(Protocol):
    """What a component does to the values that travel."""

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return one token for each put and give, in order.

        `inputs` has a tuple of tokens for each take and need, in order.
        """
        ...


def check_workers(description: Description, workers: Mapping[str, Worker]) -> None:
    """Check, for a run with values, that what fires has a worker, and each worker a component; raises ConfigError."""
    names = [component.name for component in description.components]
    for component in description.components:
        if component.firings and component.name not in workers:
            hint = (
                nearest_name(component.name, set(workers).difference(names)) or "Add one to the workers of the machine"
            )
            raise ConfigError(f"machine.{component.name}", "no worker", "one where values travel", hint)
    for name in workers:
        if name not in names:
            hint = nearest_name(name, names)
            raise ConfigError(f"machine.{name}", "a worker without a component", "the name of a component", hint)
