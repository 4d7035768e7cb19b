"""The tables of a run folder: columns with their types, units and meaning.

The same descriptions are written into the metadata of the Parquet files.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import pyarrow as pa

__all__ = [
    "ACTIVITIES",
    "CRITICAL_PATH",
    "DATAFLOW",
    "DRAM",
    "EXPLAINED_COLUMNS",
    "EXPLAINED_FROM",
    "EXPLANATION_TABLES",
    "GAP_REASONS",
    "GRANT_COLUMNS",
    "LATER_COLUMNS",
    "NO_REQUESTS",
    "POSTINGS",
    "QUEUES",
    "ROOT_CAUSES",
    "SCHEMA_VERSION",
    "SLOT",
    "TABLES",
    "State",
    "action_column",
    "with_actions",
]

SCHEMA_VERSION = 2
"""Version of summary.json and of the tables; raised when a key or a column changes its name or meaning.

Readers accept all from 1 on."""


class State(StrEnum):
    """What a component does in a cycle: it is in exactly one of these states."""

    BUSY = "busy"
    STARVED = "starved"
    BLOCKED = "blocked"
    CONTENDED = "contended"
    WAITING = "waiting"
    IDLE = "idle"


NO_REQUESTS = "requests"
"""The cause of a channel's waiting where nobody asks it for anything."""

DATAFLOW = "dataflow"
"""The cause of waiting for a layer before."""

SLOT = "slot"
"""The cause of a stream's waiting where as many requests are in flight as it may have."""

GAP_REASONS = ("refresh", "turnaround", "row", "latency")
"""Why a channel has no data on its bus while requests wait, in order of time: causes are called CHANNEL:REASON."""

GRANT_COLUMNS, EXPLAINED_FROM, EXPLAINED_COLUMNS = 10, 2, 6
"""A grant in numbers: bank, row hit, port, its firing, request cycle, start, end, ready cycle, bytes, write; an
explanation needs those from the port to the ready cycle.
"""

_NAME = pa.dictionary(pa.int32(), pa.string())


def _column(name: str, kind: pa.DataType, meaning: str, unit: str = "") -> pa.Field:
    return pa.field(name, kind, nullable=False, metadata={"description": meaning, "unit": unit})


ACTIVITIES = pa.schema(
    [
        _column("component", _NAME, "the component, or the channel, whose time this is"),
        _column("state", _NAME, "busy, starved, blocked, contended, waiting or idle"),
        _column("start_cycle", pa.int64(), "first cycle of the interval", "cycles"),
        _column("end_cycle", pa.int64(), "first cycle after the interval", "cycles"),
        _column("layer", _NAME, "the layer of the firing; empty where the interval belongs to none"),
        _column("m", pa.int32(), "tile coordinate along the rows of the weight; -1 where it does not apply", "tiles"),
        _column("n", pa.int32(), "tile coordinate along the tokens; -1 where it does not apply", "tiles"),
        _column("k", pa.int32(), "tile coordinate along the inner dimension; -1 where it does not apply", "tiles"),
        _column("cause", _NAME, "the queue, store, memory or resource that is waited for; empty when busy or idle"),
        _column("cause_component", _NAME, "the component at the other end of the cause; for a busy channel its port"),
        _column("bytes", pa.int64(), "bytes that the firing moves or codes; 0 in stalls", "bytes"),
    ],
    metadata={"table": "activities", "schema": str(SCHEMA_VERSION), "order": "component, then start_cycle"},
)

QUEUES = pa.schema(
    [
        _column("queue", _NAME, "the queue, or the memory"),
        _column("cycle", pa.int64(), "the cycle at whose end the occupancy has changed", "cycles"),
        _column("occupancy", pa.int64(), "occupancy at the end of the cycle", "tokens for a queue, bytes for a memory"),
    ],
    metadata={"table": "queues", "schema": str(SCHEMA_VERSION), "order": "queue, then cycle; changes only"},
)

DRAM = pa.schema(
    [
        _column("channel", _NAME, "the channel"),
        _column("bank", pa.int32(), "the bank; 0 for the ideal device"),
        _column("row_hit", pa.bool_(), "whether the row was open; false for the ideal device"),
        _column("port", _NAME, "the component that asked"),
        _column("request_cycle", pa.int64(), "when the request reached the channel", "cycles"),
        _column("start_cycle", pa.int64(), "first cycle on the data bus", "cycles"),
        _column("end_cycle", pa.int64(), "first cycle after the data bus", "cycles"),
        _column("bytes", pa.int64(), "bytes moved", "bytes"),
        _column("write", pa.bool_(), "whether the bytes went to the device"),
        _column("firing", pa.int64(), "number of the port's firing, from 0"),
        _column("ready_cycle", pa.int64(), "when the data is there for the component", "cycles"),
    ],
    metadata={"table": "dram", "schema": str(SCHEMA_VERSION), "order": "channel, then start_cycle"},
)

POSTINGS = pa.schema(
    [
        _column("component", _NAME, "the component that posts, a DMA stream"),
        _column("firing", pa.int64(), "number of its firing, from 0"),
        _column("cycle", pa.int64(), "when it posted the request of this firing", "cycles"),
        _column("state", _NAME, "starved, blocked or waiting at a step that delayed it; empty if none did"),
        _column("cause", _NAME, "what that step waited for; `slot` for a number of requests in flight that is full"),
        _column("cause_component", _NAME, "the component at the other end of the cause"),
        _column("since_cycle", pa.int64(), "when that step began to wait; the cycle itself if none did", "cycles"),
    ],
    metadata={"table": "postings", "schema": str(SCHEMA_VERSION), "order": "component, then firing, since_cycle"},
)

CRITICAL_PATH = pa.schema(
    [
        _column("layer", _NAME, "the layer that ran alone; empty for a run in one simulation"),
        _column("component", _NAME, "the group that serves or whose stream transfers, or the channel, queue or store"),
        _column("member", _NAME, "the member of the group; the component itself where it is none"),
        _column("kind", _NAME, "service, transfer, device or latency"),
        _column("cause", _NAME, "the operator of a service, the channel of a transfer, the reason of a device"),
        _column("cycles", pa.int64(), "cycles of the critical path", "cycles"),
        _column("stretches", pa.int64(), "in how many stretches those of all members lie", "stretches"),
    ],
    metadata={"table": "critical_path", "schema": str(SCHEMA_VERSION), "order": "layer, then most cycles first"},
)

ROOT_CAUSES = pa.schema(
    [
        _column("layer", _NAME, "the layer that ran alone; empty for a run in one simulation"),
        _column("component", _NAME, "the component that stalls"),
        _column("terminal", _NAME, "the component, stream, channel, queue or store at which its chain of waits ends"),
        _column("kind", _NAME, "what is there: busy, transfer, device or latency"),
        _column("cause", _NAME, "the channel of a transfer, the reason of a device"),
        _column("cycles", pa.int64(), "stalled cycles", "cycles"),
    ],
    metadata={"table": "root_causes", "schema": str(SCHEMA_VERSION), "order": "layer, component, most cycles first"},
)

LATER_COLUMNS = {"activities": {"bytes"}, "dram": {"firing", "ready_cycle"}}
"""Columns that came since the first runs of schema 1, which may lack them."""


def action_column(name: str, unit: str) -> pa.Field:
    """Return the column of an action, which a machine declares."""
    return _column(name, pa.int64(), f"{name.replace('_', ' ')} of the firing; 0 where there are none", unit)


def with_actions(columns: Iterable[pa.Field]) -> pa.Schema:
    """Return the schema of activities with the columns of a machine's actions behind those that every machine has."""
    known = set(ACTIVITIES.names)
    more = {column.name: column for column in columns if column.name not in known}
    return pa.schema([*ACTIVITIES, *more.values()], metadata=ACTIVITIES.metadata)


TABLES = {"activities": ACTIVITIES, "queues": QUEUES, "dram": DRAM, "postings": POSTINGS}
"""Table name (the file is NAME.parquet) to the columns that it has for every machine."""

EXPLANATION_TABLES = {"critical_path": CRITICAL_PATH, "root_causes": ROOT_CAUSES}
"""The same for the tables of an explanation, which is not recorded but made at the end."""
