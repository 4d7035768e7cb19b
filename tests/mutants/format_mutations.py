"""Faults of one line each in the formats in which outputs are written, and the tests that must see them."""

from __future__ import annotations

from mutations import Mutation

__all__ = ["FORMAT_MUTATIONS"]

_DERIVED = "panacea_sim/workload/networks/formats.py"
_ENCODED = "panacea_sim/machines/shared/encoded_outputs.py"
_OUTPUTS = "panacea_sim/mapping/outputs.py"
_STREAMS = "panacea_sim/machines/shared/streams.py"
_WAITS = "panacea_sim/mapping/waits.py"
_CLASS = "panacea_sim/running/mapping_class.py"
_MASKED = "panacea_sim/workload/masked_layer.py"

_OF_NETWORK = ("tests/workload/networks/test_formats.py",)
_WRITTEN = ("tests/machines/shared/test_written_outputs.py",)
_OF_WAITS = ("tests/mapping/test_waits.py",)
_CLASSES = ("tests/running/test_mapping_class.py",)
_NETWORKS = ("tests/running/test_network_scenario.py",)

FORMAT_MUTATIONS = (
    Mutation(
        "features are those of the first reader",
        _DERIVED,
        "read[producer].setdefault(form, []).extend(features)",
        "read[producer].setdefault(form, list(features))",
        _OF_NETWORK,
    ),
    Mutation(
        "a format is as sparse as for its last reader",
        _DERIVED,
        "found[producer].setdefault(form, WrittenFormat(*form, features, _skipped(layer, form), seed))",
        "found[producer][form] = WrittenFormat(*form, features, _skipped(layer, form), seed)",
        _OF_NETWORK,
    ),
    Mutation(
        "links to no columns read features",
        _DERIVED,
        "some = (low < high) & _reads_columns(link, sizes[link.columns_on], consumer[3], producer[2])",
        "some = np.broadcast_to(low < high, consumer[3])",
        _OF_NETWORK,
    ),
    Mutation(
        "a step does not read the one before",
        _DERIVED,
        'links.append((name, Link("x", "all")))',
        "pass",
        _OF_NETWORK,
    ),
    Mutation(
        "features are those of one product",
        _DERIVED,
        "count = producer[3] * producer[0]",
        "count = producer[0]",
        _OF_NETWORK,
    ),
    Mutation(
        "V has its vectors on columns",
        "panacea_sim/workload/written_format.py",
        'return Form(link.operand, "features" if link.features_on == "m" else "columns", bits)',
        'return Form(link.operand, "columns", bits)',
        _OF_NETWORK,
    ),
    Mutation(
        "vectors and streams change axes",
        _ENCODED,
        'if vectors_on == "features":',
        'if vectors_on == "columns":',
        _WRITTEN,
    ),
    Mutation(
        "a tile is rounded up to bytes as a whole",
        _ENCODED,
        "return ho, bits_to_bytes(lo_bits)",
        "return ho, lo_bits // 8",
        _WRITTEN,
    ),
    Mutation(
        "pieces that are not full move those behind them",
        _ENCODED,
        "if (depths[:-1] == tile_k).all():",
        "if True:",
        _WRITTEN,
    ),
    Mutation(
        "a tile of which nothing is read never frees its space",
        _OUTPUTS,
        "fires[..., 0] |= ~fires.any(2)",
        "fires[..., 0] |= False",
        _WRITTEN,
    ),
    Mutation(
        "the encoder takes a tile with its last format",
        _OUTPUTS,
        "first, last = (narrow(each.astype(np.int64)) for each in (is_new[:-1], is_new[1:]))",
        "last, first = (narrow(each.astype(np.int64)) for each in (is_new[:-1], is_new[1:]))",
        _WRITTEN,
    ),
    Mutation(
        "every format frees the tile",
        _STREAMS,
        "narrow(each.held_outputs * BYTES_PER_PARTIAL_SUM)[each.writes.m, each.writes.n] * each.writes.last",
        "narrow(each.held_outputs * BYTES_PER_PARTIAL_SUM)[each.writes.m, each.writes.n]",
        _WRITTEN,
    ),
    Mutation(
        "a link waits for all formats of a tile",
        _WAITS,
        "for some in (writes.last == 1, np.zeros_like(count, np.bool_) if form is None else writes.form == form):",
        "for some in (writes.last == 1,):",
        _OF_WAITS,
    ),
    Mutation(
        "a link waits for the first format that there is",
        _WAITS,
        "form = outputs.number_of(read)",
        "form = 0",
        _OF_WAITS,
    ),
    Mutation(
        "formats make no class",
        _CLASS,
        "formats = tuple(map(_rounded, layer.formats))",
        "formats: tuple[WrittenFormat, ...] = ()",
        _CLASSES,
    ),
    Mutation(
        "formats of a class are as dense as they are",
        _CLASS,
        "skipped = tuple(_sixteenths(share) / _DENSITY_STEPS for share in written.skipped)",
        "skipped = written.skipped",
        _CLASSES,
    ),
    Mutation(
        "all formats of a layer have the same masks",
        _MASKED,
        "seed, child = (self.seed, _OPERANDS + number) if form.seed is None else (form.seed, _ACTIVATION)",
        "seed, child = (self.seed, _OPERANDS) if form.seed is None else (form.seed, _ACTIVATION)",
        _WRITTEN,
    ),
    Mutation(
        "what is read in place has masks of its own",
        _MASKED,
        "seed, child = (self.seed, _OPERANDS + number) if form.seed is None else (form.seed, _ACTIVATION)",
        "seed, child = (self.seed, _OPERANDS + number)",
        _WRITTEN,
    ),
    Mutation(
        "what is read in place need not be as it was written",
        "panacea_sim/machines/shared/program.py",
        "return written.pieces is not None and np.array_equal(written.pieces, plan.work.activation.total)",
        "return written.pieces is not None",
        _WRITTEN,
    ),
    Mutation(
        "networks write densely",
        "panacea_sim/running/network.py",
        "formats=formats,",
        "formats=(),",
        _NETWORKS,
    ),
    Mutation(
        "progress counts formats",
        "panacea_sim/running/prepare.py",
        "return {name: lambda done: watch(int(written[done])) for name in writers}",
        "return dict.fromkeys(writers, watch)",
        _NETWORKS,
    ),
)
