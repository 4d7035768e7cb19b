"""Points evaluated on workers: those that are kept come from the store, all others run once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from panacea_sim.errors import ConfigError
from panacea_sim.exploring.evaluate import Task, evaluate_all
from panacea_sim.exploring.maker import Base, Maker
from panacea_sim.exploring.point import Point
from panacea_sim.exploring.record import Record
from panacea_sim.exploring.store import Store

__all__ = ["Hands", "SerialHands", "Workers"]


class Hands(Protocol):
    """What evaluates tasks, here or elsewhere; each is done once, whatever happens to a worker."""

    def records(self, tasks: Iterable[Task]) -> Iterator[Record]:
        """Return the records of tasks as they come."""
        ...


@dataclass(frozen=True, eq=False)
class SerialHands:
    """Evaluates one task after the other in this process."""

    base: Base

    def records(self, tasks: Iterable[Task]) -> Iterator[Record]:
        """Return the records of tasks in their order."""
        for task in tasks:
            (found,) = evaluate_all(self.base, [task])
            yield Record.from_bytes(found)


@dataclass(frozen=True, eq=False)
class Workers:
    """Evaluates points, and keeps what they gave."""

    maker: Maker
    store: Store
    hands: Hands

    def evaluate(self, points: Iterable[Point]) -> Iterator[tuple[Point, Record]]:
        """Return each point with its record: first those that are known, then the others as they come.

        A record is in the store before it is returned. Points with the same content run once.
        """
        waiting: dict[str, list[Point]] = {}
        tasks: list[Task] = []
        for point in points:
            key, known = self._known(point)
            if known is not None:
                yield point, known
            elif key in waiting:
                waiting[key].append(point)
            else:
                waiting[key] = [point]
                tasks.append(Task(key, dict(point.settings)))
        if not tasks:
            return
        for record in self.hands.records(tasks):
            self.store.put(record)
            for point in waiting.pop(record.key):
                yield point, record

    def _known(self, point: Point) -> tuple[str, Record | None]:
        """Return the key of a point, and its record if nothing has to run for it."""
        try:
            key = self.maker.key(self.maker.made(point.settings))
        except ConfigError as error:
            return "", Record.failed("", error, lasting=False)
        return key, self.store.record(key)
