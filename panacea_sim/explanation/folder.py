"""An explanation in a run folder: two tables, and what summary.json says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import pyarrow as pa

from panacea_sim.explanation.explanation import (
    Chain,
    Explanation,
    Limit,
    PathRow,
    RootCause,
    SegmentKind,
    Terminal,
    joined,
)
from panacea_sim.trace.schema import EXPLANATION_TABLES
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.summary import ChainSummary, ExplanationSummary, LimitSummary, TerminalSummary

__all__ = ["RowsByLayer", "explanation_of", "explanation_summary", "explanation_tables", "stored_explanation"]

RowsByLayer: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows of a table of an explanation by their layer, which is "" where the run is one simulation."""


def explanation_tables(explanation: Explanation) -> dict[str, pa.Table]:
    """Return the EXPLANATION_TABLES; without a path, that of a window, the table of the path is left out."""
    parts = explanation.layers or (("", explanation),)
    tables = {"root_causes": _table("root_causes", [row for name, part in parts for row in _causes(name, part)])}
    if explanation.path is not None:
        tables["critical_path"] = _table("critical_path", [row for name, part in parts for row in _path(name, part)])
    return tables


def explanation_summary(explanation: Explanation) -> ExplanationSummary:
    """Return what summary.json says of an explanation."""
    return ExplanationSummary(
        cycles=explanation.cycles,
        bound=explanation.bound,
        classes=None if explanation.path is None else explanation.classes,
        limits=tuple(LimitSummary(**vars(limit)) for limit in explanation.limits),
        chains=tuple(
            ChainSummary(**vars(chain) | {"terminal": TerminalSummary(**vars(chain.terminal))})
            for chain in explanation.chains
        ),
    )


def stored_explanation(run: StoredRun) -> Explanation | None:
    """Return the explanation that a run folder holds, None if it holds none.

    Of layers that ran alone it has path and root causes, but no limits and chains. Raises ConfigError for tables that
    are missing or cannot be read.
    """
    summary = None if run.summary is None else run.summary.explanation
    if summary is None:
        return None
    causes = _by_layer(run, "root_causes")
    return explanation_of(summary, None if summary.classes is None else _by_layer(run, "critical_path"), causes)


def explanation_of(summary: ExplanationSummary, paths: RowsByLayer | None, causes: RowsByLayer) -> Explanation:
    """Return the explanation that these rows of the EXPLANATION_TABLES give, and what summary.json says of it.

    Without `paths`, those of a window, it has no path.
    """
    limits = tuple(Limit(**dict(limit)) for limit in summary.limits)
    chains = tuple(Chain(**dict(chain) | {"terminal": Terminal(**dict(chain.terminal))}) for chain in summary.chains)
    layers = [
        (layer, _one(None if paths is None else paths.get(layer, []), causes.get(layer, [])))
        for layer in dict.fromkeys((*(paths or ()), *causes))
    ]
    together = joined(layers)
    alone = tuple(each for each in layers if each[0])
    return replace(together, cycles=summary.cycles, limits=limits, chains=chains, layers=alone)


def _one(path: Sequence[Mapping[str, Any]] | None, causes: Sequence[Mapping[str, Any]]) -> Explanation:
    """Return what the rows of one layer, or of a run in one simulation, say."""
    rows: dict[tuple[str, SegmentKind, str], PathRow] = {}
    for row in path or ():
        key = row["component"], row["kind"], row["cause"]
        known = rows.get(key, PathRow(*key, 0, row["stretches"], {}))
        members = {**known.members, row["member"]: row["cycles"]}
        rows[key] = replace(known, cycles=known.cycles + row["cycles"], members=members)
    cycles = sum(row.cycles for row in rows.values())
    found = tuple(
        RootCause(row["component"], Terminal(row["terminal"], row["kind"], row["cause"]), row["cycles"])
        for row in causes
    )
    return Explanation((0, cycles), None if path is None else tuple(rows.values()), (), found, ())


def _table(name: str, rows: Sequence[tuple[object, ...]]) -> pa.Table:
    schema = EXPLANATION_TABLES[name]
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)


def _path(layer: str, explanation: Explanation) -> list[tuple[object, ...]]:
    return [
        (layer, row.component, member, row.kind, row.cause, cycles, row.stretches)
        for row in explanation.path or ()
        for member, cycles in row.members.items()
    ]


def _causes(layer: str, explanation: Explanation) -> list[tuple[object, ...]]:
    return [
        (layer, each.component, each.terminal.name, each.terminal.kind, each.terminal.cause, each.cycles)
        for each in explanation.root_causes
    ]


def _by_layer(run: StoredRun, name: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a table by layer, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in run.dataset(name).to_table().to_pylist():
        found.setdefault(row["layer"], []).append(row)
    return found
