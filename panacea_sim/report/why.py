"""Why a run took so long, on one screen: what bounds it, what was found, where the time goes, and what to change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from panacea_sim.analysis.performance import Balance, Performance, balances
from panacea_sim.analysis.whatif import WhatIfRow
from panacea_sim.explanation.diagnosis import Bound, bound_of, member_alone, operator_shares
from panacea_sim.explanation.doubling import step_text
from panacea_sim.explanation.explanation import Explanation, PathRow
from panacea_sim.explanation.findings import Finding, findings
from panacea_sim.explanation.why import Why
from panacea_sim.report.groups import plural
from panacea_sim.report.tables import Column, print_table
from panacea_sim.report.whatif import cost_text, value_text
from panacea_sim.trace.summary import Summary

__all__ = ["KnownWhy", "WhyTable", "first_line", "known_why", "print_why", "remedy_line"]

_FOUND = 8
"""Rows of the table of findings; the rest is in --json."""

_CHAINS = 5
_LAYERS = 8
_REMEDIES = 6
_SEEN_SHARE = 0.0005

_FOUND_COLUMNS = (
    Column("found", "name"),
    Column("what", "word"),
    Column("on the path"),
    Column("share"),
    Column("waited for", leaves=1),
    Column("a step of two", "name", leaves=2),
    Column("gains"),
)
_UNMEASURED = 5
"""Of these columns so many are known before anything runs again."""

_FOUND_TITLE = "The critical path, and what it meets without spending time on it"
_CHAIN_TITLE = "Who waits in the end for whom, over all components"

_CHAIN_COLUMNS = (Column("root cause", "name"), Column("cycles"), Column("waits", leaves=1))
_LAYER_COLUMNS = (Column("layer", "name"), Column("cycles"), Column("share"), Column("bound by", "name"))
_REMEDY_COLUMNS = (
    Column("change", "name"),
    Column("from", "word"),
    Column("to", "word"),
    Column("saves"),
    Column("share"),
    Column("cost", "name", leaves=1),
)


@dataclass(frozen=True)
class WhyTable:
    """A table of what is known of a run, as texts."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class KnownWhy:
    """What a page says of why a run took so long: a first sentence, tables, and sentences below them."""

    first: str
    tables: Sequence[WhyTable]
    lines: Sequence[str]


def first_line(summary: Summary, bound: Bound | None) -> Text:
    """Return what bounds a run and how far it is from that bound."""
    text = Text.assemble((summary.scenario, "bold"), f": {summary.makespan_cycles:,} cycles, ")
    if bound is None:
        text.append("of which a window was recorded: what bounds them cannot be known")
        return text
    text.append(f"bound by {bound.path_class}", "bold")
    text.append(f", {bound.share:.1%} of the critical path")
    if bound.distance is not None:
        text.append(f"; {bound.busiest} is busy for {bound.busy_cycles:,}: {bound.distance:.1%} above that")
    return text


def print_why(console: Console, found: Why, more: str) -> None:
    """Print the diagnosis of a run; `more` is what tries all changes."""
    console.print(first_line(found.summary, found.bound), soft_wrap=True)
    _say(console, remedy_line(found))
    _print_findings(console, found)
    _print_chains(console, found.explanation)
    _print_layers(console, found.explanation)
    for line in (*_rate_lines(found.performance), *_balance_lines(found.balances, found.explanation)):
        _say(console, line)
    _print_remedies(console, found.remedies)
    if not found.all_tried:
        _say(console, f"Every knob, in pairs, and ideal machines: {more}")


def known_why(summary: Summary, explanation: Explanation) -> KnownWhy:
    """Return what is known of why a run took so long without running it again."""
    bound = bound_of(None if explanation.path is None else explanation.classes, summary)
    found = [_found_row(each, summary)[:_UNMEASURED] for each in findings(explanation)[:_FOUND]]
    tables = (
        WhyTable(_FOUND_TITLE, _FOUND_COLUMNS[:_UNMEASURED], found),
        WhyTable(_CHAIN_TITLE, _CHAIN_COLUMNS, _chain_rows(explanation)),
        WhyTable("The longest layers", _LAYER_COLUMNS, _layer_rows(explanation)),
    )
    return KnownWhy(
        first_line(summary, bound).plain,
        tuple(table for table in tables if table.rows),
        (*_class_lines(explanation), *_balance_lines(balances(summary), explanation)),
    )


def remedy_line(found: Why) -> str:
    """Return the two changes that save most, or why none is named."""
    makespan_cycles = found.summary.makespan_cycles
    best = list(_best(found.remedies, makespan_cycles))[:2]
    if not found.remedies:
        return "What a change gains was not measured."
    if not best:
        tried = "No step of any knob" if found.all_tried else f"None of {len(found.remedies)} changes that were tried"
        return f"{tried} saves anything."
    texts = [f"{_turn(row)} saves {_saved(row):,} cycles ({_saved(row) / makespan_cycles:.1%})" for row in best]
    return f"First remedies: {'; '.join(texts)}."


def _best(remedies: Sequence[WhatIfRow], makespan_cycles: int) -> Iterator[WhatIfRow]:
    """Return the best turn of each knob that saves something, the largest gain first."""
    known = set()
    for row in sorted(remedies, key=lambda row: -_saved(row)):
        if row.knob not in known and _saved(row) >= _SEEN_SHARE * makespan_cycles:
            known.add(row.knob)
            yield row


def _saved(row: WhatIfRow) -> int:
    return 0 if row.gain_planned is None else row.gain_planned.cycles


def _turn(row: WhatIfRow) -> str:
    return f"{row.knob} {value_text(row.before)} -> {value_text(row.after)}"


def _print_findings(console: Console, found: Why) -> None:
    rows = [_found_row(each, found.summary) for each in found.findings[:_FOUND]]
    if not rows:
        return
    print_table(console, _FOUND_COLUMNS, rows, _FOUND_TITLE)
    for line in _class_lines(found.explanation):
        _say(console, line)
    if len(found.findings) > _FOUND:
        _say(console, f".. and {len(found.findings) - _FOUND} more findings: --json has them")


def _class_lines(explanation: Explanation) -> Iterator[str]:
    """Return the sentence on the classes of the path, if there is one."""
    if explanation.path:
        cycles = explanation.makespan_cycles
        shares = [f"{name} {mine / cycles:.1%}" for name, mine in explanation.classes.items()]
        yield f"By class: {', '.join(shares)}."


def _found_row(finding: Finding, summary: Summary) -> list[str]:
    about, gain = finding.about, finding.gain_cycles
    gains = "not run" if gain is None else f"{gain:,}"
    if isinstance(about, PathRow):
        name = member_alone(about, summary) or about.component
        what = f"{about.kind} ({about.cause})" if about.cause else about.kind
        share = f"{about.cycles / summary.makespan_cycles:.1%}"
        return [name, what, f"{about.cycles:,}", share, "", step_text(about), gains]
    return [
        about.name,
        f"{about.kind}, {about.crossings:,} x",
        "0",
        "",
        f"{about.stalled_cycles:,}",
        step_text(about),
        gains,
    ]


def _print_chains(console: Console, explanation: Explanation) -> None:
    rows = _chain_rows(explanation)
    if rows:
        print_table(console, _CHAIN_COLUMNS, rows, _CHAIN_TITLE)


def _chain_rows(explanation: Explanation) -> list[list[str]]:
    return [[str(each), f"{each.cycles:,}", f"{each.stalls:,}"] for each in explanation.chains[:_CHAINS]]


def _print_layers(console: Console, explanation: Explanation) -> None:
    rows = _layer_rows(explanation)
    if rows:
        print_table(console, _LAYER_COLUMNS, rows, f"The longest of {len(explanation.layers):,} layers")
        _say(console, f"Layers by bound: {'; '.join(_bound_texts(explanation))}.")


def _layer_rows(explanation: Explanation) -> list[list[str]]:
    layers = sorted(explanation.layers, key=lambda each: -each[1].makespan_cycles)
    return [
        [
            name,
            f"{each.makespan_cycles:,}",
            f"{each.makespan_cycles / explanation.makespan_cycles:.1%}",
            _bound_text(each),
        ]
        for name, each in layers[:_LAYERS]
    ]


def _bound_texts(explanation: Explanation) -> Iterator[str]:
    """Return how many layers each class bounds, their share of the cycles and the longest, most cycles first."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for name, each in explanation.layers:
        groups.setdefault(each.bound or "nothing that is known", []).append((each.makespan_cycles, name))
    for bound, layers in sorted(groups.items(), key=lambda each: -sum(cycles for cycles, _ in each[1])):
        share = sum(cycles for cycles, _ in layers) / explanation.makespan_cycles
        longest = max(layers, key=lambda each: each[0])[1]
        yield f"{bound} {len(layers):,} ({share:.1%} of the cycles, the longest is {longest})"


def _bound_text(explanation: Explanation) -> str:
    if explanation.bound is None:
        return "-"
    return f"{explanation.bound} ({explanation.classes[explanation.bound] / explanation.makespan_cycles:.0%})"


def _rate_lines(rates: Performance) -> Iterator[str]:
    text = f"Rates: {rates.macs_per_cycle:,.1f} effective MACs a cycle, {rates.tops:,.3g} TOPS"
    if rates.peak_share is not None and rates.speedup_over_dense is not None:
        text += (
            f", {rates.peak_share:.1%} of the {rates.peak_macs_per_cycle:,.0f} that {rates.multipliers:,} multipliers"
        )
        text += " do without skipping"
        text += f"; {rates.speedup_over_dense:.2f} times as fast as a dense machine that never waits"
    yield f"{text}."
    if rates.macs_per_byte is not None and rates.ridge_macs_per_byte and rates.roof_macs_per_cycle:
        side = "bandwidth" if rates.macs_per_byte < rates.ridge_macs_per_byte else "multipliers without skipping"
        yield (
            f"Roofline: {rates.macs_per_byte:,.1f} MACs a byte (ridge {rates.ridge_macs_per_byte:,.1f}): under the "
            f"roof of {side}, at {rates.macs_per_cycle / rates.roof_macs_per_cycle:.1%} of it."
        )


def _balance_lines(balances: Sequence[Balance], explanation: Explanation) -> Iterator[str]:
    operators = operator_shares(explanation)
    for each in balances:
        text = f"{plural(each.group)}: {each.busiest} is busiest, {each.imbalance:.1%} above the mean"
        binding = operators.get(each.group)
        if binding:
            shares = ", ".join(f"{name.upper()} {share:.1%}" for name, share in binding.items())
            text += f"; on the path the longest operator is {shares}"
        yield f"{text}."


def _print_remedies(console: Console, remedies: Sequence[WhatIfRow]) -> None:
    makespan_cycles = next((row.cycles_planned + _saved(row) for row in remedies if row.cycles_planned is not None), 1)
    rows = [
        [
            row.knob,
            value_text(row.before),
            value_text(row.after),
            f"{_saved(row):,}",
            f"{_saved(row) / makespan_cycles:.1%}",
            cost_text(row),
        ]
        for row in list(_best(remedies, makespan_cycles))[:_REMEDIES]
    ]
    if rows:
        print_table(console, _REMEDY_COLUMNS, rows, "What to change, each run again")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False)
