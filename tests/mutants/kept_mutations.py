"""Faults of one line each in what is kept between layers: what belongs to one machine or shape serves another."""

from __future__ import annotations

from mutations import Mutation

__all__ = ["KEPT_MUTATIONS"]

_PLAN = "panacea_sim/mapping/plan.py"
_KEPT = "panacea_sim/mapping/kept.py"
_TABLES = "panacea_sim/engines/compiled/tables.py"
_HOST = "panacea_sim/running/available_memory.py"

_TESTS = ("tests/running/test_kept_for_compiled_layers.py",)

KEPT_MUTATIONS = (
    Mutation(
        "partial sums are kept for a region of another size",
        _PLAN,
        "key = (tiling, order, height, hardware.psum_bytes, hardware.spill, batch, work.task_visits)",
        "key = (tiling, order, height, batch)",
        _TESTS,
    ),
    Mutation(
        "tasks are kept for another loop order",
        _PLAN,
        "key = (tiling, order, height, hardware.psum_bytes, hardware.spill, batch, work.task_visits)",
        "key = (tiling, hardware.psum_bytes, hardware.spill, batch, work.task_visits)",
        _TESTS,
    ),
    Mutation(
        "a value that is used again is the oldest still",
        _KEPT,
        "self._values.move_to_end(key)",
        "pass",
        _TESTS,
    ),
    Mutation(
        "large values stay",
        _KEPT,
        "while self._taken_bytes > self._most_bytes:",
        "while False:",
        _TESTS,
    ),
    Mutation(
        "the next layer gets the actors of the one before",
        _TABLES,
        "actors, steps, counters = blank.actors.copy(), blank.steps.copy(), blank.counters.copy()",
        "actors, steps, counters = blank.actors, blank.steps.copy(), blank.counters.copy()",
        _TESTS,
    ),
    Mutation(
        "the stack of actors is used up by the first layer",
        _TABLES,
        "blank.in_order.copy(),",
        "blank.in_order,",
        _TESTS,
    ),
    Mutation(
        "what the host has is asked once",
        _HOST,
        "return _available_in(int(time.monotonic() * _MOMENTS_PER_SECOND))",
        "return _available_in(0)",
        _TESTS,
    ),
)
