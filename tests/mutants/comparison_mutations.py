"""Faults of one line each in comparisons of runs, and the tests that must see them."""

from __future__ import annotations

from mutations import Mutation

__all__ = ["COMPARISON_MUTATIONS"]

_FOLDER = "panacea_sim/analysis/comparison"
_FIGURES = ("tests/analysis/test_comparison.py",)
_REPORT = ("tests/report/test_comparison_report.py",)

COMPARISON_MUTATIONS = (
    Mutation(
        "the smallest difference comes first",
        f"{_FOLDER}/rows.py",
        "return Section(name, keys, unit, order, tuple(sorted(rows, key=lambda row: -row.difference)))",
        "return Section(name, keys, unit, order, tuple(sorted(rows, key=lambda row: row.difference)))",
        _FIGURES,
    ),
    Mutation(
        "a row differs by the last run alone",
        f"{_FOLDER}/rows.py",
        "rows.append(Row(key, values, counts, max(differences, default=0.0), of_key))",
        "rows.append(Row(key, values, counts, ([0.0, *differences])[-1], of_key))",
        _FIGURES,
    ),
    Mutation(
        "relative differences are those to the base",
        f"{_FOLDER}/rows.py",
        "larger = max(abs(float(base or 0)), abs(float(other or 0)))",
        "larger = abs(float(base or 0))",
        _FIGURES,
    ),
    Mutation(
        "groups are compared by their sums",
        f"{_FOLDER}/rows.py",
        "if not any(count > 1 for count in members):",
        "if members:",
        _FIGURES,
    ),
    Mutation(
        "states that were not recorded are zero",
        f"{_FOLDER}/times.py",
        "return {key: sums[key] if State(key[1]) in recorded else None for key in sums}",
        "return {key: sums[key] for key in sums}",
        _FIGURES,
    ),
    Mutation(
        "each run has short names of its own",
        f"{_FOLDER}/naming.py",
        "Naming(_groups(run, runs) | dict.fromkeys(run.channels, one), common | short, one)",
        "Naming(_groups(run, runs) | dict.fromkeys(run.channels, one), short, one)",
        _FIGURES,
    ),
    Mutation(
        "layers have the room of the fastest run",
        f"{_FOLDER}/alignment.py",
        "places = [0, *accumulate(room)]",
        "places = [0, *accumulate(each // 2 for each in room)]",
        _FIGURES,
    ),
    Mutation(
        "a layer may begin before the one before it",
        f"{_FOLDER}/alignment.py",
        "return [0, *(min(start, run.end_cycle) for start in accumulate(run.starts, max)), run.end_cycle]",
        "return [0, *(min(start, run.end_cycle) for start in run.starts), run.end_cycle]",
        _FIGURES,
    ),
    Mutation(
        "stretches reach over the beginning of a layer",
        "panacea_sim/report/comparison_page/content.py",
        "edges = np.union1d(bin_edges(first, last, _STRETCHES), inside)",
        "edges = bin_edges(first, last, _STRETCHES)",
        _REPORT,
    ),
    Mutation(
        "lanes of a group hold one member",
        "panacea_sim/report/comparison_page/content.py",
        "np.add.at(cycles, [number[each.naming.group_of[name]] for name in shares.components], shares.cycles)",
        "cycles[[number[each.naming.group_of[name]] for name in shares.components]] = shares.cycles",
        _REPORT,
    ),
)
