"""A component: one hardware unit with its work, as arrays over its firings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from panacea_sim.description.actions import Action
from panacea_sim.description.costs import Cost, followed
from panacea_sim.description.steps import Acquire, Give, Need, Put, Release, Requests, Take, Wait
from panacea_sim.description.wiring import PartWiring, Role
from panacea_sim.mapping.labels import TileLabels
from panacea_sim.units import IntArray

__all__ = ["Component", "Role"]


@dataclass(frozen=True, eq=False)
class Component:
    """A hardware component: it repeats one firing, step by step, `firings` times.

    The steps of a firing are, in this order: `takes` and `needs`, `waits`, `acquires`, then either `service_cycles`
    of private service or `requests` posted to the channels, then `releases`, `puts` and `gives`.

    Components that do the same side by side share a `group` (by default a component is a group of its own), and readers
    show them as one. `role` says what a component is for, whatever it is called; `section` is where people look for it.
    `actions` are what the trace counts of each firing, `size_bytes` what it shows as bytes. `costs` are the elementary
    operations behind them, for which energy is charged; those of requests follow from the requests.
    """

    name: str
    section: str
    firings: int
    service_cycles: IntArray | None = None
    requests: Requests | None = None
    takes: tuple[Take, ...] = ()
    needs: tuple[Need, ...] = ()
    waits: tuple[Wait, ...] = ()
    acquires: tuple[Acquire, ...] = ()
    releases: tuple[Release, ...] = ()
    puts: tuple[Put, ...] = ()
    gives: tuple[Give, ...] = ()
    labels: TileLabels | None = None
    size_bytes: IntArray | None = None
    role: Role = "pass"
    group: str = ""
    actions: tuple[Action, ...] = ()
    costs: tuple[Cost, ...] = ()

    def __post_init__(self) -> None:
        """Let a component without a group be one by itself."""
        if not self.group:
            # The only way to fill a field of a frozen dataclass.
            object.__setattr__(self, "group", self.name)

    @property
    def posted(self) -> bool:
        """Whether the component posts requests to channels instead of serving by itself."""
        return self.requests is not None

    @property
    def wiring(self) -> PartWiring:
        """What the component is, and the names that its steps touch."""
        return PartWiring(
            self.name,
            self.section,
            self.group,
            self.role,
            self.posted,
            tuple([take.queue for take in self.takes]),
            tuple([need.store for need in self.needs]),
            tuple([wait.component for wait in self.waits]),
            tuple([acquire.memory for acquire in self.acquires]),
            tuple([release.memory for release in self.releases]),
            tuple([put.store for put in self.puts]),
            tuple([give.queue for give in self.gives]),
            tuple([(action.name, action.per_cycle) for action in self.actions]),
            followed(self.costs),
        )

    @cached_property
    def served_cycles(self) -> int:
        """The cycles of private service of all firings; 0 if the component posts requests instead."""
        return 0 if self.service_cycles is None else int(self.service_cycles.sum())
