"""Messages made in rows, against those that the protobuf library makes one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import DebugAnnotation, Trace, TracePacket, TrackEvent

from panacea_sim.trace.exporters.protobuf_rows import double, fixed64, joined, message, number, only, to_bytes

_NUMBERS = st.integers(0, 2**63 - 1) | st.sampled_from([n for bits in range(7, 63, 7) for n in (2**bits - 1, 2**bits)])


@given(st.lists(st.tuples(_NUMBERS, _NUMBERS, st.floats(allow_nan=False), st.booleans()), max_size=40))
def test_rows_are_the_messages_of_the_library(rows: list[tuple[int, int, float, bool]]) -> None:
    """Nested messages with numbers of any length, and fields that stand in some rows only, are equal byte for byte."""
    library = Trace()
    for time, value, real, present in rows:
        packet = library.packet.add(timestamp=time)
        if present:
            packet.track_event.debug_annotations.add(name_iid=300, int_value=value)
        packet.track_event.double_counter_value = real
        packet.track_event.flow_ids.append(value)
    times, values = (np.array([row[at] for row in rows], np.int64) for at in range(2))
    reals, mask = np.array([row[2] for row in rows], float), np.array([row[3] for row in rows], bool)
    note = joined(number(DebugAnnotation, "name_iid", 300), number(DebugAnnotation, "int_value", values))
    event = joined(
        only(message(TrackEvent, "debug_annotations", note), mask),
        double(TrackEvent, "double_counter_value", reals),
        fixed64(TrackEvent, "flow_ids", values),
    )
    packet = joined(number(TracePacket, "timestamp", times), message(TracePacket, "track_event", event))
    found = to_bytes(message(Trace, "packet", packet), len(rows))
    assert Trace.FromString(found) == library
    assert len(found) == library.ByteSize()
