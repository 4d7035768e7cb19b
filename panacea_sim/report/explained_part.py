"""What the report page shows of why a run took so long: charts as SVG, or a line that says how to get them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from panacea_sim.analysis.performance import Performance, layer_performances, performance
from panacea_sim.analysis.whatif import stored_whatif
from panacea_sim.errors import ConfigError
from panacea_sim.explanation.diagnosis import bound_of
from panacea_sim.explanation.explanation import Explanation
from panacea_sim.explanation.known import known_explanation, path_obstacle
from panacea_sim.hardware.config import Hardware, from_mapping
from panacea_sim.hardware.yaml_file import read_mapping
from panacea_sim.report.charts import themed_svg
from panacea_sim.report.path_shares import layer_shares_figure, path_shares_figure
from panacea_sim.report.roofline import RooflinePoint, roofline_figure
from panacea_sim.report.themes import class_curves
from panacea_sim.report.tornado import tornado_figure
from panacea_sim.report.why import first_line
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.summary import Summary

__all__ = ["Chart", "ExplainedPart", "LongLayer", "explained_part"]

_LONGEST = 12
"""Layers in the table; the chart has all of them."""


@dataclass(frozen=True)
class Chart:
    """A chart as an SVG element; without one, `note` says why and what to do."""

    svg: str = ""
    note: str = ""


@dataclass(frozen=True)
class LongLayer:
    """A layer of the table: its cycles and their share of the run, what bounds it, and where it is in the roofline."""

    name: str
    cycles: int
    share: float
    bound: str
    bound_share: float | None
    macs_per_byte: float | None
    macs_per_cycle: float
    roof_share: float | None


@dataclass(frozen=True)
class ExplainedPart:
    """What bounds the run in words, who has the critical path, in all and by layer, the roofline, and the what-ifs."""

    bound: str
    path: Chart
    layers: Chart | None
    longest: tuple[LongLayer, ...]
    roofline: Chart
    tornado: Chart


def explained_part(run: StoredRun) -> ExplainedPart | None:
    """Return this part of the page; None for a partial run, of which nothing of it can be known."""
    summary = run.summary
    if summary is None:
        return None
    explanation = known_explanation(run)
    if explanation is not None and explanation.path is None:
        explanation = None
    try:
        hardware: Hardware | ConfigError = _hardware(run)
    except ConfigError as error:
        hardware = error
    layers = [] if isinstance(hardware, ConfigError) else _points(summary, hardware, explanation)
    roofline = (
        Chart(note=f"There is no roofline: {hardware}.")
        if isinstance(hardware, ConfigError)
        else _roofline(performance(summary, hardware), layers)
    )
    if explanation is None:
        reason = path_obstacle(run) or "only a window of it is explained"
        again = f"panacea-sim run {run.path / 'scenario.yaml'} --explain --out NEW"
        path = Chart(note=f"This run is not explained: {reason}. Explain it with: {again}")
        return ExplainedPart("", path, None, (), roofline, _tornado(run))
    return ExplainedPart(
        first_line(summary, bound_of(explanation.classes, summary)).plain,
        Chart(themed_svg(path_shares_figure(explanation), "path", "Cycles of the critical path by what it does")),
        _layer_chart(summary, explanation),
        _longest(explanation, layers),
        roofline,
        _tornado(run),
    )


def _hardware(run: StoredRun) -> Hardware:
    """Return the machine of a run; raises ConfigError for a scenario.yaml that does not tell."""
    path = run.path / "scenario.yaml"
    values = read_mapping(path).get("hardware")
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: hardware", "nothing", "the fields of a machine", "Run the scenario again")
    return from_mapping(values)


def _points(summary: Summary, hardware: Hardware, explanation: Explanation | None) -> list[RooflinePoint]:
    """Return the layers of a run of several, in the colours of what bounds them."""
    bounds = {name: each.bound for name, each in explanation.layers} if explanation is not None else {}
    curves = class_curves([*explanation.classes]) if explanation is not None else {}
    return [
        RooflinePoint(layer.name, rates, curves.get(bounds.get(layer.name) or "", 0))
        for layer, rates in zip(summary.layers, layer_performances(summary, hardware), strict=True)
        if rates is not None and len(summary.layers) > 1
    ]


def _roofline(run: Performance, layers: Sequence[RooflinePoint]) -> Chart:
    if run.macs_per_byte is None:
        return Chart(note="There is no roofline: the run moved no byte of DRAM.")
    return Chart(themed_svg(roofline_figure(run, layers), "roofline", "MACs a cycle by MACs for each byte of DRAM"))


def _layer_chart(summary: Summary, explanation: Explanation) -> Chart | None:
    if not explanation.layers:
        return None
    blocks = {layer.name: layer.block for layer in summary.layers}
    figure = layer_shares_figure(explanation, [blocks.get(name, "") for name, _ in explanation.layers])
    return Chart(themed_svg(figure, "layers", "Classes of the critical path of each layer"))


def _longest(explanation: Explanation, layers: Sequence[RooflinePoint]) -> tuple[LongLayer, ...]:
    rates = {each.name: each.rates for each in layers}
    found = []
    for name, each in sorted(explanation.layers, key=lambda layer: -layer[1].makespan_cycles)[:_LONGEST]:
        mine, cycles = rates.get(name), each.makespan_cycles
        if mine is None:
            continue
        roof = mine.roof_macs_per_cycle
        found.append(
            LongLayer(
                name,
                cycles,
                cycles / explanation.makespan_cycles,
                each.bound or "",
                None if each.bound is None else each.classes[each.bound] / cycles,
                mine.macs_per_byte,
                mine.macs_per_cycle,
                mine.macs_per_cycle / roof if roof else None,
            )
        )
    return tuple(found)


def _tornado(run: StoredRun) -> Chart:
    found = stored_whatif(run.path)
    if found is None or not found.rows:
        return Chart(note=f"What each knob gains is measured by: panacea-sim whatif {run.path}")
    return Chart(themed_svg(tornado_figure(found), "tornado", "What each knob gains and loses"))
