"""What a network looks like before it runs: its layers and their dependences, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

from rich.console import Console
from rich.text import Text

from panacea_sim.report.tables import Column, print_table
from panacea_sim.workload.link import Columns, Link
from panacea_sim.workload.network import LayerGraph, layers_in_order, links_into
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.networks.model_table import Model, ResNet

__all__ = ["TileSizes", "network_content", "print_models", "print_network", "unsupported_lines"]

TileSizes: TypeAlias = tuple[int, int, int]
"""T_M, T_K and T_N of the machine."""

_MEASURED_BITS = 7
"""Width of the weights whose densities profiles hold."""
_PREFIXES = ("", "k", "M", "G", "T", "P")
_THOUSAND = 1000
_MOST_NAMES = 4


def network_content(graph: LayerGraph, tile_sizes: TileSizes) -> dict[str, Any]:
    """Return what --json prints: layers in their order, totals and edges (docs/files.md)."""
    layers = _layers(graph)
    return {
        "name": graph.graph["name"],
        "description": graph.graph["description"],
        "layers": [
            {
                "name": layer.name,
                "op": layer.op,
                "kind": layer.kind,
                "block": layer.block,
                "M": layer.M,
                "K": layer.K,
                "N": layer.N,
                "repeat": layer.repeat,
                "macs": layer.macs,
                "tiles": layer.tiles(*tile_sizes),
                "weight_bits": layer.weight_bits,
                "rho_w": None if layer.rho_w is None else list(layer.rho_w),
                "rho_x": layer.rho_x,
                "vector": list(layer.vector),
            }
            for layer in layers
        ],
        "macs": sum(layer.macs for layer in layers),
        "tiles": sum(layer.tiles(*tile_sizes) for layer in layers),
        "unsupported": [
            {"op": each.op, "count": each.count, "macs": each.macs} for each in graph.graph.get("unsupported", ())
        ],
        "edges": [
            {"from": producer, "to": layer.name, "operand": operand, "needs": needs}
            for layer in layers
            for producer, operand, needs in _reads(graph, layer.name)
        ],
    }


def print_network(console: Console, graph: LayerGraph, tile_sizes: TileSizes) -> None:
    """Print the layers, equal blocks once, with what they read of each other, and the totals."""
    layers = _layers(graph)
    title = Text.assemble((graph.graph["name"], "bold"), f", {graph.graph['description']}")
    console.print(title)
    has_bits = len({layer.weight_bits for layer in layers if not layer.dynamic_weight}) > 1
    rows = [cells for run in _runs(layers) for cells in _run_rows(graph, run, tile_sizes)]
    if not has_bits:
        rows = [(*cells[:-2], cells[-1]) for cells in rows]
    figures = ("M", "K", "N", "x", "MACs", "tiles", *(("bits",) if has_bits else ()))
    columns = (Column("layer", "name"), *(Column(title) for title in figures), Column("reads", "name"))
    print_table(console, columns, rows)
    _print_totals(console, graph, layers, tile_sizes)


def print_models(console: Console, models: Sequence[Model]) -> None:
    """Print the networks of the zoo with their sizes and the source of these."""
    columns = (Column("workload", "word"), Column("family", "word"), Column("sizes", "name"), Column("source", "name"))
    print_table(console, columns, [(model.name, model.family, _sizes(model), model.source) for model in models])


@dataclass(frozen=True)
class _Run:
    """Blocks in a row with equal layers, or layers that stand outside of blocks."""

    blocks: tuple[tuple[Gemm, ...], ...]

    @property
    def shown(self) -> tuple[Gemm, ...]:
        """The layers that stand for those of all blocks: the second ones, because the first may read less."""
        return self.blocks[min(1, len(self.blocks) - 1)]


def _layers(graph: LayerGraph) -> list[Gemm]:
    return [graph.nodes[name]["layer"] for name in layers_in_order(graph)]


def _reads(graph: LayerGraph, name: str) -> list[tuple[str, str, str]]:
    """Return what a layer reads, each once: the producer, the operand and what it needs."""
    found = ((producer, link.operand, _needs(link)) for producer, link in links_into(graph, name))
    return list(dict.fromkeys(found))


def _needs(link: Link) -> str:
    return "columns" if isinstance(link.needs, Columns) else link.needs


def _runs(layers: Sequence[Gemm]) -> list[_Run]:
    blocks = [tuple(group) for _, group in groupby(layers, lambda layer: layer.block)]
    return [_Run(tuple(run)) for _, run in groupby(blocks, _signature)]


def _signature(block: tuple[Gemm, ...]) -> tuple[object, ...]:
    """Return what equal blocks have in common; layers outside of blocks are equal to none."""
    if not block[0].block:
        return tuple(layer.name for layer in block)
    return tuple(
        (_short(layer), layer.M, layer.K, layer.N, layer.repeat, layer.weight_bits, layer.packed) for layer in block
    )


def _short(layer: Gemm) -> str:
    """Return the name of a layer in its block."""
    return layer.name.removeprefix(f"{layer.block}.") if layer.block else layer.name


def _run_rows(graph: LayerGraph, run: _Run, tile_sizes: TileSizes) -> Iterator[tuple[Text | str, ...]]:
    """Return the cells of the rows of a run: a heading with its totals, and its layers, or layers alone."""
    first, last, count = run.blocks[0][0].block, run.blocks[-1][0].block, len(run.blocks)
    if first:
        names = first if count == 1 else _range_text(first, last)
        every = [layer for block in run.blocks for layer in block]
        macs, tiles = sum(layer.macs for layer in every), sum(layer.tiles(*tile_sizes) for layer in every)
        repeats = f"{count}" if count > 1 else ""
        yield Text(names, style="bold"), "", "", "", repeats, _short_number(macs), _short_number(tiles), "", ""
    for layer in run.shown:
        yield (
            Text(f"  {_short(layer)}" if first else layer.name),
            *(str(size) for size in (layer.M, layer.K, layer.N)),
            str(layer.repeat) if layer.repeat > 1 else "",
            _short_number(layer.macs),
            _short_number(layer.tiles(*tile_sizes)),
            str(layer.weight_bits),
            _reads_text(graph, layer),
        )


def _range_text(first: str, last: str) -> str:
    """Return a name for several blocks in a row: block0..31 where nothing but a number differs."""
    start = first.rstrip("0123456789")
    number = last.removeprefix(start)
    return f"{first}..{number if number.isdecimal() else last}"


def _reads_text(graph: LayerGraph, layer: Gemm) -> str:
    """Return what a layer reads in a few words; those of its own block by their short names."""
    producers: dict[tuple[str, str], list[str]] = {}
    for producer, operand, needs in _reads(graph, layer.name):
        made: Gemm = graph.nodes[producer]["layer"]
        producers.setdefault((operand, needs), []).append(_short(made) if made.block == layer.block else producer)
    parts = (
        f"{needs} of {_names_text(names)}" + (" as weight" if operand == "w" else "")
        for (operand, needs), names in producers.items()
    )
    return "; ".join(parts)


def _names_text(names: Sequence[str]) -> str:
    """Return names with commas; where a residual stream leads back to many layers, the newest and how many more."""
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: _MOST_NAMES - 1])} and {len(names) - _MOST_NAMES + 1} more"


def _short_number(count: int) -> str:
    """Return a count in thousands, millions .. with four digits at most."""
    value, step = float(count), 0
    while round(value, 1) >= _THOUSAND and step + 1 < len(_PREFIXES):
        value, step = value / _THOUSAND, step + 1
    return f"{count:,}" if step == 0 else f"{value:.1f} {_PREFIXES[step]}"


def _print_totals(console: Console, graph: LayerGraph, layers: Sequence[Gemm], tile_sizes: TileSizes) -> None:
    gemms, macs = sum(layer.repeat for layer in layers), sum(layer.macs for layer in layers)
    tiles = sum(layer.tiles(*tile_sizes) for layer in layers)
    size = " x ".join(map(str, tile_sizes))
    text = f"{len(layers):,} layers, {gemms:,} GEMMs, {macs:,} MACs, {tiles:,} tiles of {size} (T_M x T_K x T_N)"
    text += f", {_bits_text(layers)}."
    console.print(text, highlight=False, soft_wrap=True)
    if any(layer.block for layer in layers):
        console.print(
            "Equal blocks are shown once, as the second of them; x: repeats of a block or GEMM.", soft_wrap=True
        )
    profile = graph.graph["profile"]
    assumed = sorted({layer.kind for layer in layers if profile.density(layer.kind, "aqs").standing == "A"})
    note = f"; assumed for {', '.join(assumed)}" if assumed else ""
    console.print(f"Densities: profile {profile.name}, {profile.about}{note}.", highlight=False, soft_wrap=True)
    others = sorted({layer.weight_bits for layer in layers} - {_MEASURED_BITS})
    if others and profile.kinds:
        bits = " and ".join(map(str, others))
        console.print(f"They are those of {_MEASURED_BITS}-bit weights, assumed for each HO slice of {bits} bits.")
    if graph.graph["unpaid"]:
        work = " and ".join(graph.graph["unpaid"])
        console.print(f"Costs nothing, having no layer before it: {work} of the embeddings.", highlight=False)
    for line in unsupported_lines(graph):
        console.print(line, highlight=False, soft_wrap=True)


def unsupported_lines(graph: LayerGraph) -> Iterator[str]:
    """Say which operators with multiplications are not simulated, and what share of the model's they have."""
    unsupported = graph.graph.get("unsupported", ())
    total = sum(layer.macs for layer in _layers(graph)) + sum(each.macs or 0 for each in unsupported)
    for each in unsupported:
        share = "an unknown number of MACs"
        if each.macs is not None:
            share = f"{each.macs:,} MACs, {each.macs / max(total, 1):.1%} of all that are counted"
        yield f"Not simulated: {each.count} {each.op}, {share}."


def _bits_text(layers: Sequence[Gemm]) -> str:
    """Return how wide weights are, those that are outputs of other layers for themselves."""
    dynamic, stored = (
        " and ".join(map(str, sorted({layer.weight_bits for layer in layers if layer.dynamic_weight is is_dynamic})))
        for is_dynamic in (True, False)
    )
    parts = ([f"weights of {stored} bits"] if stored else []) + ([f"dynamic ones of {dynamic} bits"] if dynamic else [])
    return ", ".join(parts)


def _sizes(model: Model) -> str:
    if isinstance(model, ResNet):
        blocks = ", ".join(map(str, model.blocks))
        return f"stages of {blocks} blocks, image {model.image}"
    kv_heads = "" if model.kv_heads == model.heads else f" / {model.kv_heads}"
    return f"{model.layers} layers of {model.hidden:,}, heads {model.heads}{kv_heads}, FFN {model.ffn:,}"
