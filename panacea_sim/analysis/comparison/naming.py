"""What components, queues and channels of several runs are called, so that what does the same has one name in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from panacea_sim.trace.stored_run import StoredRun

__all__ = ["Naming", "namings"]


@dataclass(frozen=True)
class Naming:
    """The names of one run: the group of each component and channel, and what causes and other ends are called."""

    group_of: Mapping[str, str]
    short: Mapping[str, str]
    channels: str

    @property
    def members(self) -> dict[str, int]:
        """How many components or channels each group has, in the machine's order."""
        return dict(Counter(self.group_of.values()))

    def cause(self, cause: str) -> str:
        """Return what a cause is called: `dram0:row` is `dram*:row` where a run has several channels."""
        channel, colon, reason = cause.partition(":")
        return f"{self.short.get(channel, channel)}{colon}{reason}"

    def other_end(self, name: str) -> str:
        """Return what the component at the other end is called."""
        return self.short.get(name, name)


def namings(runs: Sequence[StoredRun]) -> list[Naming]:
    """Return the names of each run.

    What has one name for several in any run has it in all: one PEA or one channel is called as 16 of another run are.
    Channels are one group. A run that does not tell its groups (schema 1) has those of the first other run that has
    all of its components.
    """
    channels = max((run.channels for run in runs), key=len)
    one = channels[0] if len(channels) == 1 else f"{_common_start(channels)}*"
    shorts = [run.short_names | (dict.fromkeys(run.channels, one) if len(channels) > 1 else {}) for run in runs]
    common = {name: short for each in reversed(shorts) for name, short in each.items()}
    return [
        Naming(_groups(run, runs) | dict.fromkeys(run.channels, one), common | short, one)
        for run, short in zip(runs, shorts, strict=True)
    ]


def _groups(run: StoredRun, runs: Sequence[StoredRun]) -> dict[str, str]:
    own = {name: group for group, names in run.groups.items() for name in names}
    if run.heading.topology is not None:
        return own
    told = (other.heading.topology.group_of for other in runs if other.heading.topology is not None)
    groups = next((group_of for group_of in told if own.keys() <= group_of.keys()), own)
    return {name: groups[name] for name in own}


def _common_start(names: Sequence[str]) -> str:
    letters = takewhile(lambda each: len(set(each)) == 1, zip(*names, strict=False))
    return "".join(each[0] for each in letters)
