"""Questions to a trace: which intervals, the longest ones, totals by group.

Rows are filtered while the Parquet file is read, batch by batch, so that a trace of any length needs the same memory.
docs/files.md (inspect) has the figures that made pyarrow.dataset the engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from panacea_sim.analysis.selection import Selection, at_work, recorded, row_filter, selected_components
from panacea_sim.choices import GROUP_KEYS
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.trace.column_batches import check_batch, undamaged
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.units import IntArray

__all__ = ["GROUP_KEYS", "accesses", "grouped", "intervals", "longest", "occupancies"]

_CYCLES = pa.field(
    "cycles", pa.int64(), nullable=False, metadata={"description": "length of the interval", "unit": "cycles"}
)

_SINGLY: Mapping[str, str] = MappingProxyType({})
_FIRING_OF_A_GROUP = ["component", "state", "cause", "layer", "m", "n", "k"]
_AGGREGATES = [("cycles", "sum"), ("intervals", "sum"), ("longest_cycles", "max")]


def intervals(run: StoredRun, selection: Selection) -> pa.RecordBatchReader:
    """Return the intervals of the selection in the order of the file: the columns of activities, then `cycles`.

    Raises ConfigError when it is called, not when it is read: if nothing was recorded, for names that the run does
    not have, and for cycles that were not recorded. Intervals are whole, also where they reach beyond those.
    """
    dataset = recorded(run, "activities")
    batches = _scan(dataset, row_filter(run, dataset, "activities", selection))
    schema = dataset.schema.append(_CYCLES)
    return pa.RecordBatchReader.from_batches(schema, (_with_cycles(batch, schema) for batch in batches))


def occupancies(run: StoredRun, selection: Selection) -> pa.RecordBatchReader:
    """Return the changes of the queues and memories of the selection in the order of the file.

    Raises ConfigError as `intervals` does, and for a selection of states, causes, layers or a tile.
    """
    dataset = recorded(run, "queues")
    return pa.RecordBatchReader.from_batches(
        dataset.schema, _scan(dataset, row_filter(run, dataset, "queues", selection))
    )


def accesses(run: StoredRun, selection: Selection) -> pa.RecordBatchReader:
    """Return the DRAM accesses of the selection in the order of the file; cycles are those on the data bus.

    Raises ConfigError as `occupancies` does.
    """
    dataset = recorded(run, "dram")
    return pa.RecordBatchReader.from_batches(
        dataset.schema, _scan(dataset, row_filter(run, dataset, "dram", selection))
    )


def longest(run: StoredRun, selection: Selection, count: int, joined: Mapping[str, str] = _SINGLY) -> pa.Table:
    """Return the `count` longest intervals of the selection, with the columns of `intervals`.

    Idle time is left out unless the selection names states. Of equal ones the earlier comes first, then the order of
    the file decides. `joined` gives components that count as one the same name, and queues likewise: of their
    intervals in one state for one cause in one firing, the first is there for all.
    Raises ConfigError as `intervals` does, and for a count below 1.
    """
    if count < 1:
        raise ConfigError("longest", count, "a whole number >= 1")
    dataset = recorded(run, "activities")
    wanted = row_filter(run, dataset, "activities", at_work(selection))
    schema = dataset.schema.append(_CYCLES)
    most_rows = count * max(Counter(joined.values()).values(), default=1)
    with undamaged(dataset.files[0]):
        while True:
            rows = _longest_rows(dataset, wanted, schema, most_rows)
            first = _first_of_alike(rows, joined)
            if first.num_rows >= count or rows.num_rows < most_rows:
                return first.slice(0, count)
            most_rows *= 4


def _first_of_alike(rows: pa.Table, joined: Mapping[str, str]) -> pa.Table:
    """Return the rows without those that an earlier one stands for."""
    if not joined:
        return rows
    seen, kept = set(), []
    for number, row in enumerate(rows.select(_FIRING_OF_A_GROUP).to_pylist()):
        component = row["component"]
        alike = tuple(joined.get(value, value) if isinstance(value, str) else value for value in row.values())
        if component not in joined or alike not in seen:
            seen.add(alike)
            kept.append(number)
    return rows.take(pa.array(kept, pa.int64()))


def _longest_rows(dataset: ds.Dataset, wanted: ds.Expression, schema: pa.Schema, count: int) -> pa.Table:
    best = schema.empty_table()
    for group in _row_groups(dataset, wanted):
        better = wanted & _beats_last(best) if best.num_rows == count else wanted
        # Counting reads only what the condition is about; few row groups have more to give once `best` is full.
        if group.scanner(schema=dataset.schema, filter=better).count_rows():
            batches = group.to_batches(schema=dataset.schema, filter=better)
            rows = [_with_cycles(batch, schema) for batch in _checked(dataset, batches)]
            best = _first_longest(pa.concat_tables([best, pa.Table.from_batches(rows)]), count)
    return best


def grouped(run: StoredRun, selection: Selection, keys: Sequence[str], joined: Mapping[str, str] = _SINGLY) -> pa.Table:
    """Return the cycles of the selection for each combination of the keys, most cycles first.

    Columns: the keys (text), `cycles`, `share`, `intervals` (their number) and `longest_cycles`. An interval that
    reaches beyond `from_cycle`, `to_cycle` or the recorded cycles counts with its cycles between them, and a share is
    one of these cycles, of all components of the row: those of its name, else all that the selection names. `joined`
    gives components, or queues, that are one group the same name.
    Raises ConfigError as `intervals` does, and for other keys than `GROUP_KEYS`.
    """
    for key in keys or ("",):
        if key not in GROUP_KEYS:
            raise ConfigError("group-by", repr(key), f"one of {', '.join(GROUP_KEYS)}", nearest_name(key, GROUP_KEYS))
    names = list(dict.fromkeys(keys))
    dataset = recorded(run, "activities")
    wanted = row_filter(run, dataset, "activities", selection)
    first, last = _counted_cycles(run, selection)
    totals = _group_schema(names).empty_table()
    for batch in _scan(dataset, wanted, [*names, "start_cycle", "end_cycle"]):
        part = _totals(batch, names, _cut_cycles(batch, first, last))
        totals = _joined(pa.concat_tables([totals, part]), names)
    totals = _joined(_renamed(totals, joined), names)
    members = Counter(joined.get(name, name) for name in selected_components(run, selection))
    of_rows = [members[name] for name in totals["component"].to_pylist()] if "component" in names else members.total()
    return _with_shares(totals, names, np.multiply(of_rows, last - first))


def _row_groups(dataset: ds.Dataset, wanted: ds.Expression) -> Iterator[ds.Fragment]:
    """Return the row groups whose statistics do not rule out a match.

    They are scanned one by one: a scanner of the whole file reads ahead without end where its reader is slow.
    """
    for fragment in dataset.get_fragments(filter=wanted):
        yield from fragment.split_by_row_group(filter=wanted, schema=dataset.schema)


def _scan(dataset: ds.Dataset, wanted: ds.Expression, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Return the rows that match, without batches that are empty."""
    with undamaged(dataset.files[0]):
        yield from _batches(dataset, wanted, columns)


def _batches(dataset: ds.Dataset, wanted: ds.Expression, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    for group in _row_groups(dataset, wanted):
        yield from _checked(dataset, group.to_batches(schema=dataset.schema, columns=columns, filter=wanted))


def _checked(dataset: ds.Dataset, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Return the batches that have rows; raises ConfigError for a damaged one."""
    for batch in batches:
        if batch.num_rows:
            check_batch(dataset.files[0], batch, dataset.schema)
            yield batch


def _beats_last(best: pa.Table) -> ds.Expression:
    """Return the condition that a row comes before the last of the longest so far."""
    last = best.slice(best.num_rows - 1).to_pylist()[0]
    cycles = ds.field("end_cycle") - ds.field("start_cycle")
    return (cycles > last["cycles"]) | ((cycles == last["cycles"]) & (ds.field("start_cycle") < last["start_cycle"]))


def _with_cycles(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    cycles = pc.subtract(batch["end_cycle"], batch["start_cycle"])
    return pa.record_batch([*batch.columns, cycles], schema=schema)


def _counted_cycles(run: StoredRun, selection: Selection) -> tuple[int, int]:
    """Return the recorded cycles that lie in the range of the selection."""
    first, last = run.recorded_cycles
    begin, end = selection.from_cycle, selection.to_cycle
    return first if begin is None else max(begin, first), last if end is None else min(end, last)


def _cut_cycles(batch: pa.RecordBatch, first_cycle: int, last_cycle: int) -> pa.Array:
    """Return the cycles of each interval between two cycles."""
    start = pc.max_element_wise(batch["start_cycle"], first_cycle)
    return pc.subtract(pc.min_element_wise(batch["end_cycle"], last_cycle), start)


def _first_longest(table: pa.Table, count: int) -> pa.Table:
    # lexsort is stable, so that rows which are equal in both keep the order of the file.
    order = np.lexsort((table["start_cycle"].to_numpy(), -table["cycles"].to_numpy()))
    # One chunk, because a chunk for each batch that was seen would hold on to all of it.
    return table.take(order[:count]).unify_dictionaries().combine_chunks()


def _group_schema(keys: Sequence[str]) -> pa.Schema:
    counts = [pa.field(name, pa.int64()) for name in ("cycles", "intervals", "longest_cycles")]
    return pa.schema([*(pa.field(key, pa.string()) for key in keys), *counts])


def _totals(batch: pa.RecordBatch, keys: Sequence[str], cycles: pa.Array) -> pa.Table:
    columns = [*(batch[key] for key in keys), cycles]
    found = pa.table(columns, [*keys, "cycles"]).group_by(list(keys))
    totals = found.aggregate([("cycles", "sum"), ("cycles", "count"), ("cycles", "max")])
    # The dictionaries of two batches differ, so that their totals are joined as text.
    renamed = totals.select([*keys, "cycles_sum", "cycles_count", "cycles_max"])
    return pa.table(renamed.columns, _group_schema(keys).names).cast(_group_schema(keys))


def _joined(totals: pa.Table, keys: Sequence[str]) -> pa.Table:
    joined = totals.group_by(list(keys)).aggregate(_AGGREGATES)
    return pa.table(joined.select([*keys, *("_".join(part) for part in _AGGREGATES)]).columns, _group_schema(keys))


def _renamed(totals: pa.Table, names: Mapping[str, str]) -> pa.Table:
    """Return the totals with other names of components and causes."""
    for key in {"component", "cause"}.intersection(totals.schema.names):
        column = [names.get(name, name) for name in totals[key].to_pylist()]
        totals = totals.set_column(totals.schema.get_field_index(key), key, pa.array(column, pa.string()))
    return totals


def _with_shares(totals: pa.Table, keys: Sequence[str], of_cycles: IntArray) -> pa.Table:
    shares = pa.array(totals["cycles"].to_numpy() / of_cycles, pa.float64())
    shared = totals.add_column(totals.schema.get_field_index("intervals"), "share", shares)
    return shared.sort_by([("cycles", "descending"), *((key, "ascending") for key in keys)])
