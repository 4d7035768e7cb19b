"""Tasks evaluated by the workers of a dask cluster; this process alone writes, and what dies is sent again."""

from __future__ import annotations

import queue
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from panacea_sim.errors import ConfigError, PanaceaError
from panacea_sim.exploring.chunks import Chunk, Waiting
from panacea_sim.exploring.cluster import opened_client
from panacea_sim.exploring.deaths import Suspects
from panacea_sim.exploring.evaluate import Task, evaluate_all
from panacea_sim.exploring.maker import Base
from panacea_sim.exploring.record import Record
from panacea_sim.running.digest import code_digest
from panacea_sim.running.processes import WorkerError
from panacea_sim.version import VERSION

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["DaskHands"]

_AHEAD = 2
"""Chunks a worker: one that runs, and one that waits for it."""

_LOOK_SECONDS = 0.5
_PATIENCE_SECONDS = 300
_MOST_ERRORS = 3

_NO_SCHEDULER = "the scheduler is gone: the points that are done are kept, and the same command goes on"

Evaluate = Callable[[Base, Sequence[Task]], list[bytes]]

_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class _Done:
    future: Future


@dataclass(frozen=True)
class _Death:
    worker: str
    keys: frozenset[str]


class DaskHands:
    """Evaluates tasks on so many workers of this computer, or on those of the scheduler at an address.

    They start with the first task. Use it as a context manager, at whose end they are left or stopped.
    """

    def __init__(self, base: Base, workers: int, address: str | None = None, evaluate: Evaluate = evaluate_all) -> None:
        self._base = base
        self._workers = workers
        self._address = address
        self._evaluate = evaluate
        self._stack = ExitStack()
        self._client: Client | None = None
        self._shared: Future | None = None

    def __enter__(self) -> Self:
        """Return it; nothing is started."""
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the cluster, and stop it if it was started."""
        self._client = self._shared = None
        self._stack.close()

    def records(self, tasks: Iterable[Task]) -> Iterator[Record]:
        """Return the records of tasks as they come; raises ConfigError and WorkerError if nobody can do them."""
        if self._client is None:
            self._client = self._stack.enter_context(opened_client(self._workers, self._address))
        try:
            if self._shared is None:
                # A task and not scattered data, which would be lost with its worker.
                self._shared = self._client.submit(_same, self._base, key=f"base-{uuid.uuid4().hex}", pure=False)
            with _Session(self._client, self._shared, self._evaluate, Waiting(tasks), self._address) as session:
                yield from session.records()
        except OSError as error:  # that of a connection that is closed
            raise WorkerError(_NO_SCHEDULER) from error


@dataclass(eq=False)
class _Session:
    """Tasks that are under way on a cluster."""

    client: Client
    shared: Future
    evaluate: Evaluate
    waiting: Waiting
    address: str | None
    suspects: Suspects = field(default_factory=Suspects)
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    sent: int = 0
    seen_at: float = field(default_factory=time.monotonic)
    under_way: dict[str, tuple[Future, Chunk]] = field(default_factory=dict)
    events: queue.SimpleQueue[_Done | _Death] = field(default_factory=queue.SimpleQueue)

    def __enter__(self) -> Self:
        self.client.subscribe_topic("all", self._hear)
        return self

    def __exit__(self, *error: object) -> None:
        if self.client.status == "running":
            self.client.unsubscribe_topic("all")
            self.client.cancel([future for future, _ in self.under_way.values()], force=True)

    def records(self) -> Iterator[Record]:
        """Return records until every task has one."""
        while True:
            self._send()
            if not self.under_way and not self.waiting and not self.suspects:
                return
            try:
                event = self.events.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                self._look()
                continue
            yield from self._done(event.future) if isinstance(event, _Done) else self._died(event)

    def _send(self) -> None:
        """Send what there is to do: suspects alone, when nothing else is under way; then as much as is good."""
        if self.shared.status == "cancelled":  # as all futures of a connection that is lost
            raise WorkerError(_NO_SCHEDULER)
        if self.suspects:
            if not self.under_way:
                for chunk in self.suspects.next_chunks(self._addresses()):
                    self._submit(chunk)
            return
        if any(chunk.worker for _, chunk in self.under_way.values()):
            return
        workers = max(1, len(self._addresses())) if self.waiting else 1
        while self.waiting and len(self.under_way) < _AHEAD * workers:
            self._submit(self.waiting.next_chunk(workers))

    def _submit(self, chunk: Chunk) -> None:
        # An erred key returns its old error for ever: each attempt has another one.
        key = f"points-{self.name}-{self.sent}-{chunk.attempt}"
        self.sent += 1
        only: dict[str, Any] = {} if chunk.worker is None else {"workers": [chunk.worker], "allow_other_workers": False}
        versions = VERSION, code_digest()
        future = self.client.submit(
            _work, self.evaluate, versions, self.shared, chunk.tasks, key=key, pure=False, **only
        )
        self.under_way[key] = future, chunk
        future.add_done_callback(lambda done: self.events.put(_Done(done)))

    def _addresses(self) -> list[str]:
        return sorted(self.client.nthreads())

    def _hear(self, event: tuple[float, Any]) -> None:
        """Take note of a worker that is gone without having been sent away."""
        told = event[1]
        if isinstance(told, dict) and told.get("action") == "remove-worker" and not told.get("expected"):
            keys = frozenset(key for key in told["processing-tasks"] if key != self.shared.key)
            self.events.put(_Death(told["worker"], keys))

    def _died(self, death: _Death) -> Iterator[Record]:
        for key in death.keys & self.under_way.keys():
            future, chunk = self.under_way[key]
            if future.done():
                continue  # its result is on the way
            del self.under_way[key]
            future.cancel(force=True)
            given_up = self.suspects.suspect(chunk, alone=len(death.keys) == 1)
            if given_up is not None:
                yield given_up

    def _done(self, future: Future) -> Iterator[Record]:
        if future.key not in self.under_way:
            return
        _, chunk = self.under_way.pop(future.key)
        if future.status == "finished":
            found, seconds = future.result()
            self.waiting.took(len(found), seconds)
            yield from map(Record.from_bytes, found)
            return
        self._check_error(future, chunk)
        given_up = self.suspects.suspect(chunk, alone=False)
        assert given_up is None  # a death with something else on the worker, or none

    def _check_error(self, future: Future, chunk: Chunk) -> None:
        """Raise what will happen again wherever the chunk goes, or has happened too often."""
        error = future.exception() if future.status == "error" else None
        if isinstance(error, PanaceaError):
            raise error
        if chunk.attempt >= _MOST_ERRORS:
            reason = f"they are {future.status}" if error is None else f"{type(error).__name__}: {error}"
            raise WorkerError(f"workers cannot evaluate points: {reason}")

    def _look(self) -> None:
        """Look after the cluster: chunks that wait for a worker which is gone go elsewhere."""
        if self.client.status != "running":
            raise WorkerError(_NO_SCHEDULER)
        self._look_for_workers()
        gone = [key for key, (_, chunk) in self.under_way.items() if chunk.worker is not None]
        addresses = self._addresses() if gone else []
        for key in gone:
            future, chunk = self.under_way[key]
            if chunk.worker not in addresses and not future.done():
                del self.under_way[key]
                future.cancel(force=True)
                self.suspects.suspect(chunk, alone=False)

    def _look_for_workers(self) -> None:
        """Say that nobody is there who could do anything; on this computer that is an error."""
        now = time.monotonic()
        if self._addresses():
            self.seen_at = now
        elif now > self.seen_at + _PATIENCE_SECONDS:
            self.seen_at = now
            found = f"no workers for {_PATIENCE_SECONDS} s"
            if self.address is None:
                raise WorkerError(f"{found}: they cannot be started here. Take --workers 1")
            warnings.warn(f"{found} at {self.address}: it waits for them", RuntimeWarning, stacklevel=1)


def _same(base: Base) -> Base:
    return base


def _work(
    evaluate: Evaluate, versions: tuple[str, str], base: Base, tasks: Sequence[Task]
) -> tuple[list[bytes], float]:
    """Evaluate tasks in a worker; return their records and the seconds that they took. Raises ConfigError."""
    mine = VERSION, code_digest()
    if mine != versions:
        found = f"panacea_sim {mine[0]} with code {mine[1][:8]}"
        raise ConfigError("worker", found, f"{versions[0]} with code {versions[1][:8]}", "Install the same everywhere")
    with _one_at_a_time:
        started = time.perf_counter()
        found_all = evaluate(base, tasks)
        return found_all, time.perf_counter() - started
