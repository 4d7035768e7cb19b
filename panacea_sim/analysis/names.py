"""What a machine has that rows of its trace may name: queues, causes, tiles."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow.dataset as ds

from panacea_sim.errors import ConfigError
from panacea_sim.trace.column_batches import check_batch, undamaged
from panacea_sim.trace.schema import DATAFLOW, GAP_REASONS, NO_REQUESTS
from panacea_sim.trace.stored_run import StoredRun

__all__ = ["AXES", "Tile", "cause_names", "check_tile", "component_names", "layer_names", "queue_names"]

Tile = tuple[int | None, int | None, int | None]
"""The coordinates m, n and k of a tile; None stands for any."""

AXES = ("m", "n", "k")

_CHANNEL_CAUSES = ("", *(f":{reason}" for reason in GAP_REASONS))
"""What a wait for a channel is charged to: its holder, or a reason of the device (docs/model.md, accounting)."""

_NAMED_GRIDS = 3


def component_names(run: StoredRun) -> list[str]:
    """Return the components and channels in the machine's order."""
    return list(run.sections)


def layer_names(run: StoredRun) -> list[str]:
    """Return the layers in the order of the run."""
    return list(run.layer_names)


def queue_names(run: StoredRun, dataset: ds.Dataset) -> list[str]:
    """Return the queues and memories: those of the machine, and those in `dataset`; a partial run knows only these."""
    return _distinct([*_joints(run, "queue", "memory"), *_values(dataset, "queue")])


def cause_names(run: StoredRun, dataset: ds.Dataset) -> list[str]:
    """Return what components can wait for, whether or not one did, and the causes in `dataset`."""
    channels = [f"{name}{cause}" for name in run.channels for cause in _CHANNEL_CAUSES]
    of_machine = [*_joints(run, "queue", "memory", "store"), *channels, NO_REQUESTS, DATAFLOW]
    return _distinct([*of_machine, *_values(dataset, "cause")])


def check_tile(run: StoredRun, tile: Tile, layers: Iterable[str]) -> None:
    """Raise ConfigError if `tile` is in none of these layers, as far as the run knows its numbers of tiles."""
    if tile == (None, None, None):
        return
    wanted = set(layers)
    grids: dict[tuple[int, int, int], str] = {}
    for name, grid in _grids(run):
        if name in wanted:
            grids.setdefault(grid, name)
    if grids and not any(_is_in(tile, grid) for grid in grids):
        text = ",".join("*" if part is None else str(part) for part in tile)
        known = [f"{m} x {n} x {k} tiles (m, n, k) of {name}" for (m, n, k), name in grids.items()]
        more = f", or of {len(known) - _NAMED_GRIDS} more kinds of layers" if len(known) > _NAMED_GRIDS else ""
        accepted = f"one of the {', or of the '.join(known[:_NAMED_GRIDS])}{more}"
        raise ConfigError("tile", text, accepted, "Tiles are counted from 0")


def _joints(run: StoredRun, *kinds: str) -> list[str]:
    """Return the queues, memories or stores of the machine; a run of schema 1 names those that it has totals of."""
    if run.heading.topology is None:
        return [] if run.summary is None else list(run.summary.queues)
    joints = run.heading.topology.joints
    return [joint.name for kind in kinds for joint in joints if joint.kind == kind]


def _grids(run: StoredRun) -> list[tuple[str, tuple[int, int, int]]]:
    """Return name and numbers of m, n and k tiles of each layer; nothing where the run has no such figures."""
    hardware = run.hardware
    if run.summary is None or hardware is None:
        return []
    # The tiling imports what checks hardware files, which takes a moment that other questions need not wait for.
    from panacea_sim.mapping.tiling import Tiling  # noqa: PLC0415

    grids = []
    for layer in run.summary.layers:
        tiling = Tiling.of(hardware, (layer.M, layer.K, layer.N), layer.repeat)
        grids.append((layer.name, (tiling.repeat * tiling.m_tiles, tiling.repeat * tiling.n_tiles, tiling.k_tiles)))
    return grids


def _is_in(tile: Tile, grid: tuple[int, int, int]) -> bool:
    return all(part is None or part < count for part, count in zip(tile, grid, strict=True))


def _values(dataset: ds.Dataset, column: str) -> list[str]:
    """Return the texts of a column in order."""
    found: set[str] = set()
    with undamaged(dataset.files[0]):
        for batch in dataset.scanner(columns=[column]).to_batches():
            check_batch(dataset.files[0], batch, dataset.schema)
            found.update(batch[column].unique().to_pylist())
    return sorted(found)


def _distinct(names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name]
