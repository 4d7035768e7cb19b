"""What each kind of row means for an explanation: who is at the other end, which terminal it is, and which limit."""

from __future__ import annotations

from panacea_sim.description.topology import Topology
from panacea_sim.explanation.explanation import AFTER, LimitKind, Terminal
from panacea_sim.trace.activity_log import Kind
from panacea_sim.trace.schema import DATAFLOW, SLOT, State

__all__ = [
    "CONTENDED",
    "FOLLOWS",
    "GIVES",
    "KIND_WIDTH",
    "LATENCY",
    "NONE",
    "NOTHING",
    "OTHER",
    "POSTS",
    "SERVES",
    "STALL",
    "STATES",
    "TAKES",
    "TERMINAL",
    "WHAT",
    "RowKinds",
]

SERVES, TAKES, FOLLOWS, CONTENDED, NOTHING = range(5)
"""What a row is: a service, data that a stream takes, a wait for another component, a wait at a channel (or what a
channel does), or nothing that could be followed.
"""

NONE = -1

WHAT, OTHER, POSTS, LATENCY, TERMINAL, STALL, GIVES, KIND_WIDTH = range(8)
"""Columns of a kind of row: what it is, the component at the other end, whether it is the posting side of that one, the
latency of the token, the terminal of the row or of that latency, the place of its state in STATES (NONE: it is no
stall), and whether it is a wait to give.
"""

STATES = (State.STARVED, State.BLOCKED, State.CONTENDED, State.WAITING)
"""The states that are stalls."""


class RowKinds:
    """The kinds of rows of a machine, and what their numbers stand for.

    `columns` has those above of each kind, `kinds` and `owners` what was added and of whom, and `limits` the name and
    kind of the limit that it is, None for none.
    """

    def __init__(self, topology: Topology, streams: frozenset[str]) -> None:
        self.terminals: list[Terminal] = []
        self.columns: list[tuple[int, ...]] = []
        self.kinds: list[Kind] = []
        self.owners: list[int] = []
        self.limits: list[tuple[str, LimitKind] | None] = []
        self._streams = streams
        self._names = [part.name for part in topology.components]
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._channels = topology.channels
        self._joints = {joint.name: joint for joint in topology.joints}
        self._groups, self._short_names = topology.group_of, topology.short_names
        self._terminals: dict[Terminal, int] = {}

    def terminal(self, terminal: Terminal) -> int:
        """Return the number of a terminal, new or known."""
        number = self._terminals.setdefault(terminal, len(self.terminals))
        if number == len(self.terminals):
            self.terminals.append(terminal)
        return number

    def add(self, owner: int, kind: Kind) -> int:
        """Return the number of a new kind of row of a component, or of a channel, which come after all components."""
        if owner >= len(self._names):
            columns = self._of_channel(self._channels[owner - len(self._names)], kind)
        elif kind.state is State.BUSY:
            name = self._names[owner]
            columns = _columns(TAKES if name in self._streams else SERVES, self.terminal(Terminal(name, "busy")))
        elif kind.state is State.CONTENDED:
            columns = _columns(CONTENDED, self._of_wait(kind), stall=STATES.index(kind.state))
        elif not kind.cause:
            columns = _columns(NOTHING)
        else:
            columns = self._of_other_end(kind)
        self.columns.append(columns)
        self.kinds.append(kind)
        self.owners.append(owner)
        self.limits.append(self._limit(owner, kind))
        return len(self.columns) - 1

    def _of_channel(self, channel: str, kind: Kind) -> tuple[int, ...]:
        if kind.state is State.BUSY:
            return _columns(CONTENDED, self.terminal(Terminal(kind.cause_component, "transfer", channel)))
        return _columns(CONTENDED, self._of_reason(kind)) if kind.state is State.CONTENDED else _columns(NOTHING)

    def _of_wait(self, kind: Kind) -> int:
        """Return the terminal of a stream that waits for another's transfer, or for a device."""
        if kind.cause_component:
            return self.terminal(Terminal(kind.cause_component, "transfer", kind.cause))
        return self._of_reason(kind)

    def _of_reason(self, kind: Kind) -> int:
        channel, _, reason = kind.cause.rpartition(":")
        return self.terminal(Terminal(channel, "device", reason))

    def _of_other_end(self, kind: Kind) -> tuple[int, ...]:
        joint = None if kind.cause in {DATAFLOW, SLOT} else self._joints[kind.cause]
        gives = kind.state is State.BLOCKED and joint is not None and joint.kind == "queue"
        latency = joint.latency_cycles if joint is not None and kind.state is not State.BLOCKED else 0
        return (
            FOLLOWS,
            self._numbers[kind.cause_component],
            # Who empties a full queue takes the token when it posts.
            int(gives and kind.cause_component in self._streams),
            latency,
            self.terminal(Terminal(kind.cause, "latency")) if latency else NONE,
            STATES.index(kind.state) if kind.state in STATES else NONE,
            int(gives),
        )

    def _limit(self, owner: int, kind: Kind) -> tuple[str, LimitKind] | None:
        if kind.state is State.WAITING:
            return f"{self._groups[self._names[owner]]}{AFTER}{self._groups[kind.cause_component]}", "dataflow"
        if kind.state is not State.BLOCKED:
            return None
        if kind.cause == SLOT:
            return self._names[owner], "slot"
        name = self._short_names.get(kind.cause, kind.cause)
        return name, "memory" if self._joints[kind.cause].kind == "memory" else "queue"


def _columns(what: int, terminal: int = NONE, stall: int = NONE) -> tuple[int, ...]:
    return what, NONE, 0, 0, terminal, stall, 0
