"""Calibrated layers as a table and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console

from panacea_sim.calibration.calibrated import LayerRecord
from panacea_sim.calibration.search import Search
from panacea_sim.calibration.skipping import Work
from panacea_sim.report.tables import Column, print_table

__all__ = ["calibrated_row", "print_calibrated", "print_search", "searched_row", "sqnr_text", "work_row"]

_ALONE = "One sample alone chooses and judges: real figures need more of them"
_POLICY_COLUMNS = (
    *(Column(title, "word") for title in ("activations", "ZPM", "DBS", "weights")),
    *map(Column, ("rho_w", "rho_x", "SQNR", "work skipped")),
    Column("", "word"),
)
_COLUMNS = (
    Column("layer", "name"),
    Column("zp"),
    Column("l"),
    Column("r"),
    Column("rho_w"),
    Column("zero skip", leaves=1),
    Column("r skip", leaves=1),
    Column("+ ZPM", leaves=1),
    Column("+ DBS", leaves=1),
    Column("symmetric", leaves=1),
    Column("rho_x"),
    Column("clipped", leaves=2),
    Column("SQNR"),
    Column("work skipped"),
)


def calibrated_row(layer: LayerRecord) -> dict[str, Any]:
    """Return what is known of a layer as JSON; null stands for a step that its width has not, and for no error."""
    products, rows, depth = layer.sizes
    scales, figures, steps = layer.scales, layer.figures, layer.figures.steps
    return {
        "name": layer.name,
        "M": rows,
        "K": depth,
        "repeat": products,
        "policy": scales.policy.options(),
        "samples": {"calibrating": layer.calibrating, "held_out": layer.held_out},
        "zero_point": scales.quantizer.zero_point,
        "lo_bits": scales.quantizer.lo_bits,
        "r": list(scales.frequent),
        "activation_scale": scales.quantizer.scale,
        "rho_w": list(figures.rho_w),
        "rho_x": figures.rho_x,
        "rho_x_steps": {
            "zero": steps.zero,
            "frequent": steps.frequent,
            "zpm": steps.zpm,
            "dbs": steps.dbs,
            "symmetric": steps.symmetric,
        },
        "clipped_share": figures.clipped_share,
        "sqnr_db": figures.sqnr_db,
        "work": work_row(figures.work),
    }


def work_row(work: Work) -> dict[str, Any]:
    """Return work as JSON."""
    return {"done": work.done, "dense": work.dense, "skipped_share": work.skipped_share}


def searched_row(found: Search) -> dict[str, Any]:
    """Return a search as JSON: the chosen policy, the bound, and what each policy that was tried skips and costs."""
    return {
        "name": found.plain.name,
        "min_sqnr_db": found.min_sqnr_db,
        "chosen": found.chosen.scales.policy.options(),
        "tried": [
            {
                "policy": each.scales.policy.options(),
                "sqnr_db": each.figures.sqnr_db,
                "rho_w": list(each.figures.rho_w),
                "rho_x": each.figures.rho_x,
                "skipped_share": each.figures.work.skipped_share,
            }
            for each in found.tried
        ],
    }


def print_calibrated(console: Console, layers: Sequence[LayerRecord]) -> None:
    """Print a row for each layer, and what the columns mean."""
    print_table(console, _COLUMNS, [_cells(layer) for layer in layers])
    console.print(
        "On held-out samples: rho_x by zero skip, r skip, with ZPM and with DBS, and of 7-bit symmetric codes;\n"
        "SQNR of the real outputs against float; the share of a dense machine's products of slices that is skipped",
        highlight=False,
    )
    if not all(layer.is_held_out for layer in layers):
        console.print(_ALONE, style="yellow")


def print_search(console: Console, found: Search) -> None:
    """Print the policies that were tried for a layer, what skips most first."""
    ordered = sorted(found.tried, key=lambda each: -each.figures.work.skipped_share)
    rows = [
        [
            *list(each.scales.policy.options().values())[:4],
            _shares(each.figures.rho_w),
            _share(each.figures.rho_x),
            sqnr_text(each.figures.sqnr_db),
            f"{each.figures.work.skipped_share:.1%}",
            "chosen" if each is found.chosen else "",
        ]
        for each in ordered
    ]
    bound = f"at least {found.min_sqnr_db:.1f} dB"
    print_table(console, _POLICY_COLUMNS, rows, title=f"{found.plain.name}: policies, {bound} asked for")


def _cells(layer: LayerRecord) -> list[str]:
    steps = layer.figures.steps
    return [
        layer.name,
        str(layer.scales.quantizer.zero_point),
        str(layer.scales.quantizer.lo_bits),
        ", ".join(map(str, layer.scales.frequent)) or "-",
        _shares(layer.figures.rho_w),
        *map(_share, (steps.zero, steps.frequent, steps.zpm, steps.dbs, steps.symmetric, layer.figures.rho_x)),
        f"{layer.figures.clipped_share:.2%}",
        sqnr_text(layer.figures.sqnr_db),
        f"{layer.figures.work.skipped_share:.1%}",
    ]


def _shares(shares: Iterable[float | None]) -> str:
    return " ".join(map(_share, shares)) or "-"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"


def sqnr_text(ratio_db: float | None) -> str:
    """Return a ratio of outputs to their error for people."""
    return "none lost" if ratio_db is None else f"{ratio_db:.1f} dB"
