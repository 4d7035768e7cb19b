"""The colours of states, shared by the terminal, the pictures and the timeline."""

from __future__ import annotations

from panacea_sim.trace.schema import State

__all__ = ["STATE_COLOURS"]

STATE_COLOURS: dict[State, str] = {
    State.BUSY: "#009e73",
    State.STARVED: "#e69f00",
    State.BLOCKED: "#d55e00",
    State.CONTENDED: "#cc79a7",
    State.WAITING: "#0072b2",
    State.IDLE: "#999999",
}
"""Okabe and Ito's palette, which colour-blind readers can tell apart; always shown with a legend."""
