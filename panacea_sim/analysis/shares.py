"""How the states of every component share each stretch of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from panacea_sim.trace.binning import Cover, bin_edges
from panacea_sim.trace.column_batches import codes, column_batches
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import chosen_window, within
from panacea_sim.units import IntArray

__all__ = ["StateShares", "shares_between", "state_shares"]

_STATES = {state.value: index for index, state in enumerate(State)}


@dataclass(frozen=True)
class StateShares:
    """The cycles of each state in each bin.

    `edges` has one cycle more than there are bins; `cycles` is [components, bins, states] in the order of
    `components` and of State. A component that was recorded whole fills every bin.
    """

    components: tuple[str, ...]
    edges: IntArray
    cycles: IntArray

    def shares(self) -> npt.NDArray[np.float64]:
        """Return `cycles` as parts of each bin."""
        return np.asarray(self.cycles / np.diff(self.edges)[:, None])


def state_shares(run: StoredRun, bins: int, window: tuple[int, int] | None = None) -> StateShares:
    """Return how the states of every component share each of at most `bins` bins, exactly and in bounded memory.

    Raises ConfigError if no activity was recorded in `window`.
    """
    return shares_between(run, bin_edges(*chosen_window(run, window), bins))


def shares_between(run: StoredRun, edges: IntArray) -> StateShares:
    """Return how the states of every component share the stretches between `edges`, rising cycles, exactly.

    Raises ConfigError if no activities were recorded.
    """
    components = {name: index for index, name in enumerate(run.sections)}
    cover = Cover(edges, len(components) * len(State))
    columns = ["component", "state", "start_cycle", "end_cycle"]
    for batch in column_batches(run, "activities", columns, within((int(edges[0]), int(edges[-1])))):
        row = codes(batch["component"], components) * len(State) + codes(batch["state"], _STATES)
        cover.add(row, batch["start_cycle"].to_numpy(), batch["end_cycle"].to_numpy())
    cycles = cover.units().astype(np.int64).reshape(len(components), len(State), -1)
    return StateShares(tuple(components), edges, np.ascontiguousarray(cycles.transpose(0, 2, 1)))
