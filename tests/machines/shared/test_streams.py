"""The DMA streams: what their firings wait for; their bytes are in test_service_cycles.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.synthetic import synthetic_layer


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_spilled_sum_is_read_when_it_has_been_written(count: int) -> None:
    """A read waits for the last write of its own tile in its own layer, nothing else waits, and all layers spill."""
    layer = synthetic_layer(16, 24, 16, 0.3, 0.5, 1, name="first")
    machine = {"n_pea": 2, "tile_k": 8, "tile_n": 8, "loop_order": "kmn", "dtp": "off", "psum_bytes": 512}
    layers = (layer, *(replace(layer, name=f"layer {at}", recipe=None) for at in range(1, count)))
    prepared = prepare(Scenario("spills", layers, settings=machine, values=False))
    assert isinstance(prepared, Prepared)
    stream = next(part for part in prepared.description.components if part.name == "s_dma")
    assert stream.requests is not None
    assert stream.labels is not None
    (wait,) = stream.waits
    requests, last_write, waits = stream.requests, {}, []
    assert requests.request is not None
    tiles = zip(stream.labels.layer, stream.labels.m, stream.labels.n, strict=True)
    for firing, (tile, request) in enumerate(zip(tiles, requests.request, strict=True)):
        parts = slice(requests.offsets[request], requests.offsets[request + 1])
        moves, writes = parts.stop > parts.start, bool(requests.write[parts].any())
        waits.append(last_write[tile] + 1 if moves and not writes else 0)
        if writes:
            last_write[tile] = firing
    assert wait.firings.tolist() == waits
    assert sum(count > 0 for count in waits) == count * 2 * 4  # layers, visits that read, output tiles
