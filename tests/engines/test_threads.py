"""Threads for compiled code: every share is done, and what one of them raises is heard."""

from __future__ import annotations

import pytest

from panacea_sim.engines.compiled import threads
from panacea_sim.engines.compiled.threads import opened_threads


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_every_share_is_done_once(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a thread for each core, and each does the share of its number."""
    monkeypatch.setattr(threads, "_cores", lambda: cores)
    done: list[int] = []
    with opened_threads() as opened:
        opened.run(done.append)
    assert sorted(done) == list(range(cores))


@pytest.mark.parametrize("cores", [1, 3])
def test_what_a_share_raises_is_heard(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the last share ends the whole."""
    monkeypatch.setattr(threads, "_cores", lambda: cores)

    def fail(number: int) -> None:
        if number == cores - 1:
            raise ValueError(f"share {number}")

    with opened_threads() as opened, pytest.raises(ValueError, match=f"share {cores - 1}"):
        opened.run(fail)


def test_a_worker_process_has_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cores are taken by the other workers."""
    monkeypatch.setattr(threads, "_cores", lambda: 4)
    monkeypatch.setattr(threads, "parent_process", lambda: "a parent")
    with opened_threads() as opened:
        assert opened.count == 1
