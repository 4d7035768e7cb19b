"""What an explained run keeps: the rows of all components and channels, and the grants of all channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from panacea_sim.trace.activity_log import Kind
from panacea_sim.units import IntArray

__all__ = ["KeptRun", "RunGrants", "RunRows"]


class RunRows(NamedTuple):
    """The time of all owners, which are components and behind them channels, without gaps.

    The rows of owner i are those from `at[i]` to before `behind[i]`: the first begins in `start_cycle[i]`, each other
    where the one before ends. Owners come in order; between them may stand rows of nobody. The number in `kind` counts
    `kinds`, of which each is that of one owner. Services with no cycle between them may be one row, and transfers of a
    channel may have none: its grants tell.
    """

    kinds: Sequence[tuple[int, Kind]]
    start_cycle: IntArray
    at: IntArray
    behind: IntArray
    kind: npt.NDArray[np.int32]
    end_cycle: IntArray


class RunGrants(NamedTuple):
    """What all channels granted: the rows of channel i are those from `at[i]` to before `behind[i]`, in order of time.

    A row has port, firing, and the cycles of its request, its start, its end and of when its data is ready.
    """

    at: IntArray
    behind: IntArray
    rows: IntArray


class KeptRun(NamedTuple):
    """Rows and grants of a run; `let_go` says that nobody needs them any more: the next run may use their room."""

    rows: RunRows
    grants: RunGrants
    let_go: Callable[[], None]
