"""A dask cluster: on this computer, or one that a scheduler elsewhere has."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from panacea_sim.errors import ConfigError
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.workload.masked_layer import MaskedLayer

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["check_cluster", "opened_client"]

_SETTINGS = {
    # Workers that may die with a task before dask gives it up: we count ourselves, see deaths.py.
    "distributed.scheduler.allowed-failures": 2**31,
    # How long a worker that has died may take to come back before a cluster on this computer does without it.
    "distributed.deploy.lost-worker-timeout": "1 day",
}

_START = "panacea_sim.exploring.worker_start"

_ANSWER_SECONDS = 10


def check_cluster(workers: int, address: str | None) -> None:
    """Raise ConfigError where workers in other processes are asked for and dask is not installed."""
    if (workers > 1 or address is not None) and importlib.util.find_spec("distributed") is None:
        option, found = ("--workers", workers) if address is None else ("--cluster", address)
        hint = "Install it with: pip install 'panacea-sim[cluster]'. Or take --workers 1, which needs nothing"
        raise ConfigError(option, f"{found}, but dask is not installed", "the extra cluster, or one worker", hint)


@contextmanager
def opened_client(workers: int, address: str | None) -> Iterator[Client]:
    """Give the client of so many workers on this computer, or of the scheduler at an address; raises ConfigError."""
    import dask  # noqa: PLC0415  # it takes long to import, and need not be installed
    import distributed  # noqa: PLC0415  # the same

    _silence()
    with dask.config.set(_SETTINGS):
        if address is not None:
            with _connected(address) as client:
                yield client
            return
        _compile()
        local = distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # it serves its health there all the same
            memory_limit=None,
            preload=[_START],
            silence_logs=logging.CRITICAL,
        )
        with local, distributed.Client(local) as client:
            yield client


def _connected(address: str) -> Client:
    import distributed  # noqa: PLC0415  # the same

    try:
        return distributed.Client(address, timeout=_ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        hint = "Start one with: dask scheduler"
        raise ConfigError(
            "--cluster", f"{address} ({reason})", "the address of a scheduler, as tcp://HOST:8786", hint
        ) from error


def _silence() -> None:
    """Let dask log nothing: what happens to workers is ours to tell."""
    for name in ("distributed", *logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _compile() -> None:
    """Compile what points need, or load it: each worker would compile it otherwise."""
    layer = MaskedLayer("compiled", 4, 4, 4, 0.0, 0.0, 0)
    run(Scenario("compiled", layer, values="off"), RunOptions(trace=NO_TRACE, log_level="error", explain=True))
