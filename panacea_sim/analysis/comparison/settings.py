"""What runs were told: every field of their hardware, and how their layers were scheduled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from panacea_sim.analysis.comparison.rows import Figures, Value
from panacea_sim.hardware.yaml_file import read_mapping
from panacea_sim.trace.stored_run import StoredRun

__all__ = ["configuration"]

_CHOSEN_FOR = "layer"
"""What mappings are chosen for where scenario.yaml does not say it."""

_OWN_DEVICE = "a device of its own"


def configuration(run: StoredRun) -> Figures:
    """Return ("hardware", field) and ("run", field) of a run; fields that its machine does not have are absent.

    The machine stands in scenario.yaml as it was resolved, so that machines which are not known here can be compared
    too; of a device of the user's own every field is one, as `dram.banks`. Of a run folder without that file the
    fields are not known but name and clock. Raises ConfigError if the file cannot be read.
    """
    heading = run.heading
    content = _scenario(run)
    fields = content.get("hardware")
    hardware = fields if isinstance(fields, Mapping) else {"name": heading.hardware, "clock_hz": heading.clock_hz}
    own: dict[str, Value | None] = {
        "schedule": heading.schedule,
        "mapping": str(content.get("mapping", _CHOSEN_FOR)),
        "values": heading.values,
        "engine": heading.engine,
        "layers": len(run.layer_names),
    }
    return {("hardware", name): value for name, value in _flat(hardware)} | {
        ("run", name): value for name, value in own.items()
    }


def _scenario(run: StoredRun) -> Mapping[str, object]:
    path = run.path / "scenario.yaml"
    return read_mapping(path) if path.is_file() else {}


def _flat(fields: Mapping[str, object], before: str = "") -> Iterator[tuple[str, Value]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield f"{before}{name}", str(value.get("name", _OWN_DEVICE))
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, int | float | str | bool):
            yield f"{before}{name}", value
        elif value is not None:
            yield f"{before}{name}", str(value)
