"""What a what-if starts from: a run folder with its measured cycles and mappings, or a scenario that has not run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from panacea_sim.analysis.whatif import WHATIF_FOLDER
from panacea_sim.errors import ConfigError
from panacea_sim.running.planning import GivenMapping
from panacea_sim.running.scenario import Scenario, Study, load_scenario
from panacea_sim.trace.run_place import RUN_MARK
from panacea_sim.trace.schema import SCHEMA_VERSION
from panacea_sim.trace.stored_run import open_run
from panacea_sim.trace.summary import LayerSummary

__all__ = ["Base", "read_base"]

_AGAIN = "Run the scenario again"
_RUNS = Path("runs")


@dataclass(frozen=True, eq=False)
class Base:
    """The scenario, without values; of a run its cycles, its mappings and its mark, None of a scenario file.

    `folder` is where results go unless the user says where.
    """

    scenario: Scenario
    folder: Path
    cycles: int | None = None
    mappings: tuple[GivenMapping, ...] | None = None
    mark: Path | None = None


def read_base(path: Path) -> Base:
    """Return what a run folder or a scenario file gives to start from.

    Raises ConfigError for a run that is partial or of an older schema, a study, and what is neither run nor scenario.
    """
    if not path.is_dir() and (path.exists() or path.suffix):
        return _of_file(path)
    run = open_run(path)
    if run.summary is None:
        raise ConfigError(f"{run.path}", "a partial run, which has no cycles to compare", "a complete run", _AGAIN)
    version = run.summary.schema_version
    if version < SCHEMA_VERSION:
        raise ConfigError(f"{run.path}", f"a run of schema {version}", f"schema {SCHEMA_VERSION}", _AGAIN)
    found = load_scenario(run.path / "scenario.yaml")
    assert isinstance(found, Scenario)  # a run folder keeps one
    return Base(
        replace(found, values="off"),
        run.path / WHATIF_FOLDER,
        run.summary.makespan_cycles,
        tuple(map(mapping_of, run.summary.layers)),
        run.path / RUN_MARK,
    )


def mapping_of(layer: LayerSummary) -> GivenMapping:
    """Return the mapping that a run has taken for a layer."""
    return GivenMapping(layer.loop_order, 2 if layer.double_tile else 1)


def _of_file(path: Path) -> Base:
    found = load_scenario(path)
    if isinstance(found, Study):
        names = ", ".join(scenario.name for scenario in found.scenarios)
        hint = "Run the study, and take the folder of one of its runs"
        raise ConfigError(f"{path}", f"a study of several scenarios: {names}", "one scenario or one run", hint)
    return Base(replace(found, values="off"), _RUNS / f"{found.name}-{WHATIF_FOLDER}")
