"""What a worker on this computer does when it starts, which dask calls: it leaves interrupts to the driver."""

from __future__ import annotations

import signal

__all__ = ["dask_setup"]


def dask_setup(_worker: object) -> None:
    """Let interrupts pass: an interrupt from the keyboard reaches all processes, and the driver ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
