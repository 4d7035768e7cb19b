"""Faults of one line each, and the tests that must see them.

A mutation names its file and the whole line, without the spaces around it, so that it survives a move of the file: only
`file` changes. Leave out lines whose change nobody could ever notice.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MUTATIONS", "Mutation"]


class Mutation(NamedTuple):
    """A line of a file, what stands there instead, and the tests (files or node ids) of which one must fail."""

    name: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]


# The tests of the list in a few words; each takes seconds.
ACCOUNTS = ("tests/analysis/test_accounting.py",)
BARRIER = tuple(
    f"tests/running/test_layers.py::{name}"
    for name in (
        "test_layers_with_other_encoded_outputs_are_not_equal",
        "test_outputs_of_equal_size_in_other_pieces_are_not_equal",
        "test_layers_of_other_sizes_are_not_equal",
        "test_masks_of_other_operands_are_not_equal",
        "test_one_mask_alone_makes_another_layer",
    )
)
BATCH = ("tests/running/test_compiled_batches.py::test_a_batch_gives_what_its_layers_give_alone",)
BUILD = ("tests/machines/panacea/test_build.py",)
CHAIN = ("tests/machines/shared/test_chained_layers.py",)
CHECKED = ("tests/machines/panacea/test_compiled_values.py::test_all_widths_are_checked",)
CHECKED_MAPPINGS = ("tests/machines/panacea/test_compiled_values.py::test_every_mapping_is_checked",)
CHOSEN = ("tests/running/test_values_choice.py::test_auto_counts_the_tasks_of_the_whole_run",)
COMPILED = ("tests/engines/test_compiled_equality.py::test_equal_on_ideal_channels",)
DRAM = ("tests/memory/test_dram_timing.py",)
FLOOR = ("tests/running/test_candidate_floor.py",)
HAND_WORKED = ("tests/machines/shared/test_hand_worked.py",)
INTERPRETER = ("tests/engines/test_interpreter_equality.py::test_reference_equals_the_naive_interpreter",)
INTERPRETER_BANKS = ("tests/engines/test_interpreter_equality.py::test_equal_with_banks_and_refresh",)
JOINED = ("tests/analysis/test_joined_results.py",)
LAYOUT = ("tests/mapping/test_layout.py",)
LINKED = ("tests/machines/shared/test_linked_layers.py",)
NETWORK = ("tests/workload/test_network.py",)
ORDER = ("tests/mapping/test_loop_order.py",)
OUTPUTS = ("tests/mapping/test_output_bytes.py",)
PEA = ("tests/machines/panacea/test_pea_work.py::test_cycles_of_a_stack_are_the_least_over_all_shares",)
PLAN = ("tests/mapping/test_plan.py",)
RLE = ("tests/quant/test_rle.py",)
SEQUENCE = ("tests/running/test_layers.py::test_the_whole_is_the_sum_of_its_layers",)
SERVICE = ("tests/machines/panacea/test_service_cycles.py",)
SIMULATION = ("tests/running/test_run.py::test_graph_nodes_carry_the_times_of_the_run",)
SOURCES = ("tests/workload/test_chain.py::test_sources_become_edges",)
STREAMS = ("tests/machines/shared/test_streams.py",)
TILE_CODE = ("tests/machines/shared/test_compiled_tile_code.py",)
WAITS = ("tests/mapping/test_waits.py",)
WORK = ("tests/mapping/test_layer_work.py",)


SERVICE_RULES = (
    Mutation(
        "encoder twice as fast",
        "panacea_sim/machines/shared/codecs.py",
        "service_cycles=program.of_writes(lambda written: ceil_div(written.output_bytes.ho, codec_bytes_per_cycle)),",
        "service_cycles=program.of_writes(lambda written: ceil_div(written.output_bytes.ho, 2 * "
        "codec_bytes_per_cycle)),",
        SERVICE,
    ),
    Mutation(
        "encoder encodes the LO slices",
        "panacea_sim/machines/shared/codecs.py",
        "service_cycles=program.of_writes(lambda written: ceil_div(written.output_bytes.ho, codec_bytes_per_cycle)),",
        "service_cycles=program.of_writes(lambda written: ceil_div(written.output_bytes.total, "
        "codec_bytes_per_cycle)),",
        SERVICE,
    ),
    Mutation(
        "decoders twice as fast",
        "panacea_sim/machines/shared/codecs.py",
        "service_cycles=of_tasks(lambda layer: ceil_div(tile_bytes(layer), codec_bytes_per_cycle)),",
        "service_cycles=of_tasks(lambda layer: ceil_div(tile_bytes(layer), 2 * codec_bytes_per_cycle)),",
        SERVICE,
    ),
    Mutation(
        "weight decoder decodes the LO slices",
        "panacea_sim/machines/shared/codecs.py",
        'return _decoder("w", program, codec_bytes_per_cycle, program.of_weights, lambda layer: layer.plan.weight.ho)',
        'return _decoder("w", program, codec_bytes_per_cycle, program.of_weights, '
        "lambda layer: layer.plan.weight.total)",
        SERVICE,
    ),
    Mutation(
        "activation decoder decodes the LO slices",
        "panacea_sim/machines/shared/codecs.py",
        'return _decoder("x", program, codec_bytes_per_cycle, of_tasks, lambda layer: layer.plan.work.activation.ho)',
        'return _decoder("x", program, codec_bytes_per_cycle, of_tasks, '
        "lambda layer: layer.plan.work.activation.total)",
        SERVICE,
    ),
    Mutation(
        "dispatcher reads one tile after the other",
        "panacea_sim/machines/shared/dealer.py",
        "service_cycles = np.maximum(",
        "service_cycles = np.add(",
        SERVICE,
    ),
    Mutation(
        "dispatcher reads one byte of weights a cycle more",
        "panacea_sim/machines/shared/dealer.py",
        "program.of_weights(lambda layer: ceil_div(layer.plan.weight.total, sram_bytes_per_cycle)),",
        "program.of_weights(lambda layer: ceil_div(layer.plan.weight.total, sram_bytes_per_cycle + 1)),",
        SERVICE,
    ),
    Mutation(
        "dispatcher leaves out the last byte of an activation tile",
        "panacea_sim/machines/shared/dealer.py",
        "program.of_activations(lambda layer: ceil_div(layer.plan.work.activation.total, sram_bytes_per_cycle)),",
        "program.of_activations(lambda layer: ceil_div(layer.plan.work.activation.total - 1, sram_bytes_per_cycle)),",
        SERVICE,
    ),
    Mutation(
        "accumulator has the lanes of the PPU",
        "panacea_sim/machines/shared/accumulator.py",
        "ceil_div(layer.plan.work.outputs, hardware.accumulator_lanes),",
        "ceil_div(layer.plan.work.outputs, hardware.ppu_lanes),",
        SERVICE,
    ),
    Mutation(
        "accumulator writes a byte an output",
        "panacea_sim/machines/shared/accumulator.py",
        "ceil_div(layer.plan.work.outputs * BYTES_PER_PARTIAL_SUM, hardware.omem_bytes_per_cycle),",
        "ceil_div(layer.plan.work.outputs, hardware.omem_bytes_per_cycle),",
        SERVICE,
    ),
    Mutation(
        "accumulator takes the faster of lanes and port",
        "panacea_sim/machines/shared/accumulator.py",
        "lambda layer: np.maximum(",
        "lambda layer: np.minimum(",
        SERVICE,
    ),
    Mutation(
        "PPU rounds down",
        "panacea_sim/machines/shared/ppu.py",
        "return np.maximum(ceil_div(passed_outputs, hardware.ppu_lanes), ceil_div(read_bytes, "
        "hardware.omem_bytes_per_cycle))",
        "return np.maximum(passed_outputs // hardware.ppu_lanes, ceil_div(read_bytes, hardware.omem_bytes_per_cycle))",
        SERVICE,
    ),
    Mutation(
        "PPU reads a byte an output",
        "panacea_sim/machines/shared/ppu.py",
        "program, layer.tile_outputs * layer.plan.work.passes, layer.tile_outputs * BYTES_PER_PARTIAL_SUM",
        "program, layer.tile_outputs * layer.plan.work.passes, layer.tile_outputs",
        SERVICE,
    ),
    Mutation(
        "compensation takes no time",
        "panacea_sim/machines/panacea/pea.py",
        "np.maximum(_quotient_up(compensation, hardware.n_cs), _quotient_up(own_static, hardware.n_swo)),",
        "_quotient_up(own_static, hardware.n_swo),",
        SERVICE,
    ),
    Mutation(
        "DWOs leave all static work to the SWOs",
        "panacea_sim/machines/panacea/pea.py",
        "own_static = swo[:, ::height].astype(kind, copy=False)",
        "own_static = static",
        SERVICE,
    ),
    Mutation(
        "DWOs have room for all static work",
        "panacea_sim/machines/panacea/pea.py",
        "np.maximum(cycles, _quotient_up(dynamic + static, hardware.n_dwo + hardware.n_swo), out=cycles)",
        "np.maximum(cycles, _quotient_up(static, hardware.n_dwo + hardware.n_swo), out=cycles)",
        SERVICE,
    ),
    Mutation(
        "static work that DWOs take over is not counted",
        "panacea_sim/machines/panacea/pea.py",
        "taken_over = np.maximum(static - cycles * hardware.n_swo, 0)",
        "taken_over = 0 * static",
        PEA,
    ),
    Mutation(
        "PEA cycles rounded down",
        "panacea_sim/machines/panacea/pea.py",
        "quotient = dividend + (divisor - 1)",
        "quotient = dividend + 0",
        SERVICE,
    ),
    Mutation(
        "a stack is its first tile twice",
        "panacea_sim/machines/panacea/pea.py",
        "upper = steps[:, place::height]",
        "upper = steps[:, ::height]",
        SERVICE,
    ),
    Mutation(
        "a stack is decoded like its larger tile",
        "panacea_sim/mapping/plan.py",
        "return TileBytes(np.add.reduceat(tiles.ho, first), np.add.reduceat(tiles.lo, first))",
        "return TileBytes(np.maximum.reduceat(tiles.ho, first), np.add.reduceat(tiles.lo, first))",
        SERVICE,
    ),
    Mutation(
        "a task is served for the cycles of the next k",
        "panacea_sim/machines/panacea/pea.py",
        "of_task: IntArray = in_memory_order[_memory_place(cycles, plan.tasks.stack, plan.tasks.n, plan.tasks.k)]",
        "of_task: IntArray = in_memory_order[_memory_place(cycles, plan.tasks.stack, plan.tasks.n, plan.tasks.k) - 1]",
        SERVICE,
    ),
)

WORK_RULES = (
    Mutation(
        "HO x LO products forgotten",
        "panacea_sim/machines/shared/slice_steps.py",
        "met = x_counts.reshape(tiling.repeat, tiling.n_tiles, tiling.K) + tiling.column_groups[:, None].astype(",
        "met = x_counts.reshape(tiling.repeat, tiling.n_tiles, tiling.K) + 0 * tiling.column_groups[:, None].astype(",
        WORK,
    ),
    Mutation(
        "LO x HO products forgotten",
        "panacea_sim/machines/shared/slice_steps.py",
        "panel += compensation[:, :, k, None]",
        "panel += 0",
        WORK,
    ),
    Mutation(
        "a PEA without rows works",
        "panacea_sim/machines/shared/slice_steps.py",
        "steps[..., ceil_div(tiling.M, tiling.v) :] = 0",
        "steps[..., ceil_div(tiling.M, tiling.v) + 1 :] = 0",
        WORK,
    ),
    Mutation(
        "operands without fillers",
        "panacea_sim/machines/shared/sliced_work.py",
        "stored = stored_with_fillers(of_slice, tile_k).reshape(products, -1, skipped.shape[2])",
        "stored = (~of_slice).reshape(products, -1, skipped.shape[2])",
        SERVICE,
    ),
    Mutation(
        "encoded outputs without fillers",
        "panacea_sim/quant/rle.py",
        "if k > MAX_SKIP + 1:",
        "if False:",
        OUTPUTS,
    ),
    Mutation(
        "LO bytes of the nominal depth",
        "panacea_sim/machines/shared/sliced_work.py",
        "lo_bits = groups[:, None] * tiling.v * tiling.depths * SLICE_BITS",
        "lo_bits = groups[:, None] * tiling.v * np.full_like(tiling.depths, tiling.tile_k) * SLICE_BITS",
        SERVICE,
    ),
    Mutation(
        "one stream for all HO slices",
        "panacea_sim/machines/shared/sliced_work.py",
        "streams = np.broadcast_to((groups * ho_slices)[:, None], entries.shape)",
        "streams = np.broadcast_to(groups[:, None], entries.shape)",
        SERVICE,
    ),
    Mutation(
        "the count of entries has a bit too few",
        "panacea_sim/quant/rle.py",
        "return tile_k.bit_length()",
        "return (tile_k - 1).bit_length()",
        RLE,
    ),
    Mutation(
        "streams without their count of entries",
        "panacea_sim/quant/rle.py",
        "return entries * _entry_bits(v) + streams * count_bits(tile_k)",
        "return entries * _entry_bits(v)",
        RLE,
    ),
    Mutation(
        "a run goes on from one stream to the next",
        "panacea_sim/quant/rle.py",
        "before = np.maximum(at[far] // k * k - 1, np.where(far > 0, at[far - 1], -1))",
        "before = np.where(far > 0, at[far - 1], -1)",
        RLE,
    ),
    Mutation(
        "no filler for a run of just 16",
        "panacea_sim/quant/rle.py",
        "may = (stored_counts > 0) & (stored_counts < k - MAX_SKIP)",
        "may = (stored_counts > 0) & (stored_counts < k - MAX_SKIP - 1)",
        RLE,
    ),
    Mutation(
        "encoded outputs without padded vectors",
        "panacea_sim/machines/shared/encoded_outputs.py",
        "lo_bits = cut.groups[:, None] * tiling.v * cut.depths * SLICE_BITS",
        "lo_bits = cut.groups[:, None] * (tiling.v - 1) * cut.depths * SLICE_BITS",
        SERVICE,
    ),
    Mutation(
        "pieces begin at the first output tile",
        "panacea_sim/mapping/outputs.py",
        "offsets: IntArray = before - before[:, k // rows_per_tile * rows_per_tile]",
        "offsets: IntArray = before",
        OUTPUTS,
    ),
    Mutation(
        "operators of one PEA make the capacity",
        "panacea_sim/description/topology.py",
        "counts[action] = counts.get(action, 0) + count",
        "counts[action] = count",
        ("tests/machines/panacea/test_pea_work.py",),
    ),
)

MAPPING_RULES = (
    Mutation(
        "a set that just fits is not resident",
        "panacea_sim/mapping/loads.py",
        "resident = largest_set <= capacity_bytes",
        "resident = largest_set < capacity_bytes",
        PLAN,
    ),
    Mutation(
        "space is free before that of older tiles",
        "panacea_sim/mapping/loads.py",
        "np.add.at(released, np.maximum.accumulate(last_use), size_bytes)",
        "np.add.at(released, last_use, size_bytes)",
        PLAN,
    ),
    Mutation(
        "space is free a task too late",
        "panacea_sim/mapping/loads.py",
        "last_use[need] = np.arange(len(need))",
        "last_use[need] = np.minimum(np.arange(len(need)) + 1, len(need) - 1)",
        PLAN,
    ),
    Mutation(
        "reuse sets of the loops inside",
        "panacea_sim/mapping/order.py",
        "for loop in self.order[: self.order.index(free_loop)]:",
        "for loop in self.order[self.order.index(free_loop) + 1 :]:",
        ORDER,
    ),
    Mutation(
        "a visit never ends where n changes",
        "panacea_sim/mapping/order.py",
        "ends = np.append((tasks.stack[1:] != tasks.stack[:-1]) | (tasks.n[1:] != tasks.n[:-1]) | task_visits, True)",
        "ends = np.append((tasks.stack[1:] != tasks.stack[:-1]) | task_visits, True)",
        ORDER,
    ),
    Mutation(
        "partial sums that just fit spill",
        "panacea_sim/mapping/partial_sums.py",
        "spills = largest_live > region_bytes",
        "spills = largest_live >= region_bytes",
        PLAN,
    ),
    Mutation(
        "partial sums stay for ever",
        "panacea_sim/mapping/partial_sums.py",
        "live = np.cumsum(tile_bytes * begins) - np.append(0, np.cumsum(tile_bytes * ends)[:-1])",
        "live = np.cumsum(tile_bytes * begins)",
        ORDER,
    ),
    Mutation(
        "no fetch goes ahead of a return",
        "panacea_sim/mapping/partial_sums.py",
        "ahead = int(spills and largest_tile * 2 <= region_bytes)",
        "ahead = 0",
        PLAN,
    ),
    Mutation(
        "a fetch goes ahead where PSUM holds one tile",
        "panacea_sim/mapping/partial_sums.py",
        "ahead = int(spills and largest_tile * 2 <= region_bytes)",
        "ahead = int(spills)",
        PLAN,
    ),
    Mutation(
        "the first visit reads its partial sum",
        "panacea_sim/mapping/partial_sums.py",
        "reads = (is_return == 0) & (visits.first[visit] == 0)",
        "reads = is_return == 0",
        ORDER,
    ),
    Mutation(
        "the last visit writes its partial sum",
        "panacea_sim/mapping/partial_sums.py",
        "writes = (is_return == 1) & (visits.last[visit] == 0)",
        "writes = is_return == 1",
        ORDER,
    ),
    Mutation(
        "a partial sum is read before it is written",
        "panacea_sim/mapping/partial_sums.py",
        "after = np.where(reads, return_of[visits.before[visit]] + 1, 0)",
        "after = np.where(reads, return_of[visits.before[visit]], 0)",
        ORDER,
    ),
    Mutation(
        "the floor counts a spill too many",
        "panacea_sim/mapping/partial_sums.py",
        "return 2 * tiling.repeat * (tiling.k_tiles - 1) * tiling.M * tiling.N * BYTES_PER_PARTIAL_SUM",
        "return 2 * tiling.repeat * tiling.k_tiles * tiling.M * tiling.N * BYTES_PER_PARTIAL_SUM",
        FLOOR,
    ),
    Mutation(
        "channels take turns the other way round",
        "panacea_sim/mapping/layout.py",
        "channel_start = np.arange(channels) * interleave_bytes",
        "channel_start = np.arange(channels)[::-1] * interleave_bytes",
        LAYOUT,
    ),
    Mutation(
        "tiles lie side by side",
        "panacea_sim/mapping/layout.py",
        "padded = ceil_div(by_layer, alignment_bytes) * alignment_bytes",
        "padded = by_layer",
        LAYOUT,
    ),
    Mutation(
        "partial sums of the next tile",
        "panacea_sim/machines/shared/streams.py",
        "request = first + visits.m[sums.visit].astype(np.int64) * plan.work.tiling.n_tiles + visits.n[sums.visit]",
        "request = first + visits.m[sums.visit].astype(np.int64) + visits.n[sums.visit] * plan.work.tiling.n_tiles",
        SERVICE,
    ),
    Mutation(
        "finished tiles may use the room of partial sums",
        "panacea_sim/mapping/plan.py",
        "taken = hardware.psum_bytes * keeps_partial_sums",
        "taken = 0",
        PLAN,
    ),
    Mutation(
        "a layer without its source",
        "panacea_sim/workload/chain.py",
        'add_link(graph, layers[source].name, layer.name, Link("x", in_place=True))',
        "pass",
        SOURCES,
    ),
    Mutation(
        "a chain is not read in place",
        "panacea_sim/workload/chain.py",
        'add_link(graph, layers[source].name, layer.name, Link("x", in_place=True))',
        'add_link(graph, layers[source].name, layer.name, Link("x"))',
        SOURCES,
    ),
    Mutation(
        "only the first link of a producer counts",
        "panacea_sim/workload/network.py",
        'return [(producer, link) for producer in producers for link in graph.edges[producer, consumer]["links"]]',
        'return [(producer, link) for producer in producers for link in graph.edges[producer, consumer]["links"][:1]]',
        NETWORK,
    ),
    Mutation(
        "nothing links into a layer",
        "panacea_sim/workload/network.py",
        'return [(producer, link) for producer in producers for link in graph.edges[producer, consumer]["links"]]',
        "return []",
        LINKED,
    ),
    Mutation(
        "a link replaces those before",
        "panacea_sim/workload/network.py",
        "graph.add_edge(producer, consumer, links=(*before, *links))",
        "graph.add_edge(producer, consumer, links=(link,))",
        NETWORK,
    ),
    Mutation(
        "layers run in the order of their names",
        "panacea_sim/workload/network.py",
        "return list(nx.lexicographical_topological_sort(graph, inserted.__getitem__))",
        "return list(nx.lexicographical_topological_sort(graph))",
        NETWORK,
    ),
    Mutation(
        "fetches wait for no other layer",
        "panacea_sim/machines/shared/program.py",
        "for name, link in links_into(self.graph, layer.plan.name):",
        "for name, link in ():",
        CHAIN,
    ),
    Mutation(
        "fetches wait for the first layer whoever writes",
        "panacea_sim/machines/shared/program.py",
        "np.maximum(needed, of_producer + first[number[name]] * (of_producer > 0), out=needed)",
        "np.maximum(needed, of_producer, out=needed)",
        WAITS,
    ),
    Mutation(
        "fetches that need nothing wait for the layers before",
        "panacea_sim/machines/shared/program.py",
        "np.maximum(needed, of_producer + first[number[name]] * (of_producer > 0), out=needed)",
        "np.maximum(needed, of_producer + first[number[name]], out=needed)",
        WAITS,
    ),
    Mutation(
        "of several producers the last one tells",
        "panacea_sim/machines/shared/program.py",
        "np.maximum(needed, of_producer + first[number[name]] * (of_producer > 0), out=needed)",
        "needed[:] = of_producer + first[number[name]] * (of_producer > 0)",
        WAITS,
    ),
    Mutation(
        "fetches wait for links of the other operand",
        "panacea_sim/machines/shared/program.py",
        "if link.operand == operand:",
        "if link.operand != operand:",
        LINKED,
    ),
    Mutation(
        "no link knows a feature offset",
        "panacea_sim/mapping/waits.py",
        "needed = own.shifted(link.feature_offset)",
        "needed = own",
        WAITS,
    ),
    Mutation(
        "no link knows a column offset",
        "panacea_sim/mapping/waits.py",
        "return own.shifted(link.column_offset).within(0, count).ends",
        "return own.within(0, count).ends",
        WAITS,
    ),
    Mutation(
        "a norm needs its own features",
        "panacea_sim/mapping/waits.py",
        "needed = _everywhere(first, end, own).shifted(link.feature_offset)",
        "needed = own.shifted(link.feature_offset)",
        WAITS,
    ),
    Mutation(
        "everything means all columns of the same features",
        "panacea_sim/mapping/waits.py",
        'elif link.needs == "all":',
        "elif False:",
        WAITS,
    ),
    Mutation(
        "everything means all features of the same columns",
        "panacea_sim/mapping/waits.py",
        'if link.needs == "all":',
        "if False:",
        WAITS,
    ),
    Mutation(
        "every row of an im2col matrix is a feature",
        "panacea_sim/mapping/waits.py",
        "needed = _Ranges(own.low // taps, ceil_div(own.high, taps) * own.some).shifted(link.feature_offset)",
        "needed = own.shifted(link.feature_offset)",
        WAITS,
    ),
    Mutation(
        "windows outside the span count",
        "panacea_sim/mapping/waits.py",
        "return np.maximum.reduceat(windows.ends * is_inside, tiles.low)",
        "return np.maximum.reduceat(windows.ends, tiles.low)",
        WAITS,
    ),
    Mutation(
        "tiles may be written backwards in n",
        "panacea_sim/mapping/waits.py",
        "if (np.diff(written, axis=0) < 0).any() or (np.diff(written, axis=1) < 0).any():",
        "if (np.diff(written, axis=0) < 0).any():",
        WAITS,
    ),
)

MACHINE_RULES = (
    Mutation(
        "OMEM keeps the room of PSUM",
        "panacea_sim/machines/shared/frame.py",
        'Memory("OMEM", hardware.omem_bytes - psum_bytes),',
        'Memory("OMEM", hardware.omem_bytes),',
        BUILD,
    ),
    Mutation(
        "sums arrive at once",
        "panacea_sim/machines/panacea/build.py",
        "*(Queue(sum_queue(pea), depth, hardware.pea_latency_cycles) for pea in peas),",
        "*(Queue(sum_queue(pea), depth) for pea in peas),",
        BUILD,
    ),
    Mutation(
        "one queue is deeper",
        "panacea_sim/machines/panacea/build.py",
        'Queue("q_encode", depth),',
        'Queue("q_encode", depth + 1),',
        BUILD,
    ),
    Mutation(
        "writes have the priority of the weights",
        "panacea_sim/machines/shared/frame.py",
        "Port(WRITE_BACK, hardware.o_dma_priority, hardware.outstanding),",
        "Port(WRITE_BACK, hardware.w_dma_priority, hardware.outstanding),",
        BUILD,
    ),
    Mutation(
        "one request in flight",
        "panacea_sim/machines/shared/frame.py",
        'Port("x_dma", hardware.x_dma_priority, hardware.outstanding),',
        'Port("x_dma", hardware.x_dma_priority, 1),',
        BUILD,
    ),
    Mutation(
        "devices run at the machine's clock",
        "panacea_sim/memory/channel_device.py",
        "hardware.clock_hz,",
        "None,",
        BUILD,
    ),
    Mutation(
        "pages are always left open",
        "panacea_sim/memory/channel_device.py",
        "page=hardware.dram_page,",
        'page="open",',
        BUILD,
    ),
    Mutation(
        "activations are fetched without their LO slices",
        "panacea_sim/machines/shared/streams.py",
        "(layer.layout.activation, layer.plan.work.activation.total, layer.plan.activation_loads)",
        "(layer.layout.activation, layer.plan.work.activation.ho, layer.plan.activation_loads)",
        SERVICE,
    ),
    Mutation(
        "outputs are written without their LO slices",
        "panacea_sim/machines/shared/streams.py",
        "size_bytes = program.of_writes(lambda written: written.output_bytes.total)",
        "size_bytes = program.of_writes(lambda written: written.output_bytes.ho)",
        SERVICE,
    ),
    Mutation(
        "o_dma frees the bytes that it writes",
        "panacea_sim/machines/shared/streams.py",
        'releases=(Release("OMEM", held_bytes),),',
        'releases=(Release("OMEM", size_bytes),),',
        SERVICE,
    ),
    Mutation(
        "every visit takes room for a finished tile",
        "panacea_sim/machines/shared/accumulator.py",
        'acquires=(Acquire("OMEM", size_bytes if last.all() else size_bytes * last),),',
        'acquires=(Acquire("OMEM", size_bytes),),',
        SERVICE,
    ),
    Mutation(
        "outputs are read instead of written",
        "panacea_sim/machines/shared/streams.py",
        "requests=_as_requests(_split(program, output_addresses(program), size_bytes), np.ones(firings, np.bool_)),",
        "requests=_as_requests(_split(program, output_addresses(program), size_bytes), np.zeros(firings, np.bool_)),",
        ("tests/mapping/test_mapped_bytes.py::test_the_dram_moves_the_bytes_of_the_loop_nest",),
    ),
    Mutation(
        "a chained tile is read before its last write",
        "panacea_sim/mapping/waits.py",
        "count = before + np.arange(1, len(writes.m) + 1)",
        "count = before + np.arange(len(writes.m))",
        CHAIN,
    ),
    Mutation(
        "a chained tile waits for one write too many",
        "panacea_sim/mapping/waits.py",
        "return needed.ravel()",
        "return np.minimum(needed.ravel() + 1, len(producer.writes.m))",
        CHAIN,
    ),
    Mutation(
        "a spilled sum is read without waiting",
        "panacea_sim/machines/shared/streams.py",
        'waits=(Wait("s_dma", _firings_before(program)),),',
        'waits=(Wait("s_dma", np.maximum(_firings_before(program) - 1, 0)),),',
        STREAMS,
    ),
    Mutation(
        "a spilled sum of a layer alone is read without waiting",
        "panacea_sim/machines/shared/streams.py",
        "return program.layers[0].plan.partial_sums.after",
        "return program.layers[0].plan.partial_sums.after * 0",
        STREAMS,
    ),
    Mutation(
        "a spilled sum of several layers is read without waiting",
        "panacea_sim/machines/shared/streams.py",
        "return last + 1",
        "return np.maximum(last, 0)",
        STREAMS,
    ),
)

ENGINE_RULES = (
    Mutation(
        "a memory is full one byte early",
        "panacea_sim/engines/reference/memory.py",
        "if size_bytes > self.free_bytes:",
        "if size_bytes >= self.free_bytes:",
        INTERPRETER,
    ),
    Mutation(
        "who waits for space wants a byte more",
        "panacea_sim/engines/reference/memory.py",
        "if self._waiting and self._wanted_bytes <= self.free_bytes:",
        "if self._waiting and self._wanted_bytes < self.free_bytes:",
        INTERPRETER,
    ),
    Mutation(
        "a queue holds one token more",
        "panacea_sim/engines/reference/queue.py",
        "elif len(tokens) >= self._capacity:",
        "elif len(tokens) > self._capacity:",
        HAND_WORKED,
    ),
    Mutation(
        "tokens arrive a cycle late",
        "panacea_sim/engines/reference/queue.py",
        "self._ready_cycles.append(self._env.cycle + self._latency_cycles)",
        "self._ready_cycles.append(self._env.cycle + self._latency_cycles + 1)",
        HAND_WORKED,
    ),
    Mutation(
        "one request more in flight",
        "panacea_sim/engines/reference/processes.py",
        "if self._posted - self.ended.ended >= self._outstanding:",
        "if self._posted - self.ended.ended > self._outstanding:",
        HAND_WORKED,
    ),
    Mutation(
        "who waits for a firing wants one more",
        "panacea_sim/engines/reference/steps.py",
        "due = [signal for firings, signal in self.waiting if firings <= self.ended]",
        "due = [signal for firings, signal in self.waiting if firings < self.ended]",
        INTERPRETER,
    ),
    Mutation(
        "requests of one cycle in order of arrival",
        "panacea_sim/memory/arbiter.py",
        "if (queue[base + REQUEST_CYCLE], queue[base + PORT]) <= (request_cycle, port):",
        "if queue[base + REQUEST_CYCLE] <= request_cycle:",
        INTERPRETER,
    ),
    Mutation(
        "of equal priorities the last goes",
        "panacea_sim/memory/arbiter.py",
        "if queue[position * WIDTH + PRIORITY] < queue[best * WIDTH + PRIORITY]:",
        "if queue[position * WIDTH + PRIORITY] <= queue[best * WIDTH + PRIORITY]:",
        DRAM,
    ),
    Mutation(
        "the greatest priority number goes first",
        "panacea_sim/memory/arbiter.py",
        "if queue[position * WIDTH + PRIORITY] < queue[best * WIDTH + PRIORITY]:",
        "if queue[position * WIDTH + PRIORITY] > queue[best * WIDTH + PRIORITY]:",
        HAND_WORKED,
    ),
    Mutation(
        "an ideal bus rounds down",
        "panacea_sim/memory/ideal_timing.py",
        "end_cycle = cycle + -(-size_bytes // params[BYTES_PER_CYCLE])",
        "end_cycle = cycle + max(1, size_bytes // params[BYTES_PER_CYCLE])",
        HAND_WORKED,
    ),
    Mutation(
        "an ideal write has the latency of a read",
        "panacea_sim/memory/ideal_timing.py",
        "out[OUT_READY] = end_cycle if write else end_cycle + params[LATENCY]",
        "out[OUT_READY] = end_cycle + params[LATENCY]",
        HAND_WORKED,
    ),
    Mutation(
        "a request is ready with its first part",
        "panacea_sim/engines/reference/posted_request.py",
        "self.ready_cycle = max(self.ready_cycle, ready_cycle)",
        "self.ready_cycle = ready_cycle",
        INTERPRETER,
    ),
    Mutation(
        "compiled: a queue holds one token more",
        "panacea_sim/engines/compiled/firing.py",
        "index = events[adds_to] - amount",
        "index = events[adds_to] - amount - 1",
        COMPILED,
    ),
    Mutation(
        "compiled: one request less in flight",
        "panacea_sim/engines/compiled/firing.py",
        "index, adds = firing - amount, 1",
        "index, adds = firing - amount + 1, 1",
        COMPILED,
    ),
    Mutation(
        "compiled: a queue is found one token less full",
        "panacea_sim/engines/compiled/firing.py",
        "taken = min(event - high, known - 1)",
        "taken = min(event - high - 1, known - 1)",
        COMPILED,
    ),
    Mutation(
        "compiled: a stream has no place for the firing that waits for a slot",
        "panacea_sim/engines/compiled/tables.py",
        "else min(part.firings // lowered.runs, ring_room(outstanding[part.name] + 1))",
        "else min(part.firings // lowered.runs, ring_room(outstanding[part.name]))",
        COMPILED,
    ),
)

DRAM_RULES = (
    Mutation(
        "no tRCD",
        "panacea_sim/memory/banked_timing.py",
        "state[at_bank + ACTIVATED] + rcd,",
        "state[at_bank + ACTIVATED],",
        DRAM,
    ),
    Mutation(
        "no tFAW",
        "panacea_sim/memory/banked_timing.py",
        "state[ACTIVATE_4] + params[FAW],",
        "state[ACTIVATE_4],",
        DRAM,
    ),
    Mutation(
        "no tRP",
        "panacea_sim/memory/banked_timing.py",
        "cycle = max(cycle, max(now, state[at_bank + PRECHARGE_READY]) + params[RP])",
        "cycle = max(cycle, now, state[at_bank + PRECHARGE_READY])",
        DRAM,
    ),
    Mutation(
        "no tRAS",
        "panacea_sim/memory/banked_timing.py",
        "state[at_bank + PRECHARGE_READY] = cycle + params[RAS]",
        "state[at_bank + PRECHARGE_READY] = cycle",
        DRAM,
    ),
    Mutation(
        "tCCD_S in one bank group",
        "panacea_sim/memory/banked_timing.py",
        "state[at_group + own] + ccd_l,",
        "state[at_group + own] + ccd_s,",
        DRAM,
    ),
    Mutation(
        "tRRD_S in one bank group",
        "panacea_sim/memory/banked_timing.py",
        "state[at_group + GROUP_ACTIVATE] + params[RRD_L],",
        "state[at_group + GROUP_ACTIVATE] + params[RRD_S],",
        DRAM,
    ),
    Mutation(
        "the bus turns to writes at once",
        "panacea_sim/memory/banked_timing.py",
        "floor = max(now, state[LAST_READ] + turnaround)",
        "floor = now",
        DRAM,
    ),
    Mutation(
        "the bus turns to reads at once",
        "panacea_sim/memory/banked_timing.py",
        "floor = max(now, state[LAST_WRITE] + params[WRITE_TO_READ_S])",
        "floor = now",
        DRAM,
    ),
    Mutation(
        "no tWTR_L",
        "panacea_sim/memory/banked_timing.py",
        "state[at_group + other] + turnaround,",
        "state[at_group + other],",
        DRAM,
    ),
    Mutation(
        "write recovery from the command",
        "panacea_sim/memory/params.py",
        "WRITE_TO_PRECHARGE: data_cycles + device.wr_cycles,",
        "WRITE_TO_PRECHARGE: device.wr_cycles,",
        DRAM,
    ),
    Mutation(
        "no gap between reads and writes",
        "panacea_sim/memory/params.py",
        "READ_TO_WRITE: device.cl_cycles + device.burst_cycles + device.bus_gap_cycles - device.cwl_cycles,",
        "READ_TO_WRITE: device.cl_cycles + device.burst_cycles - device.cwl_cycles,",
        DRAM,
    ),
    Mutation(
        "refresh takes no time",
        "panacea_sim/memory/banked_timing.py",
        "end = max(start + more * params[RFC], due + more * params[REFI]) + params[RFC]",
        "end = max(start + more * params[RFC], due + more * params[REFI])",
        DRAM,
    ),
    Mutation(
        "refresh is due after it was late",
        "panacea_sim/memory/banked_timing.py",
        "state[REFRESH_DUE] = due + (more + 1) * params[REFI]",
        "state[REFRESH_DUE] = now + params[REFI]",
        ("tests/memory/test_dram_segments.py",),
    ),
    Mutation(
        "refreshes behind the last request do not count",
        "panacea_sim/memory/banked_timing.py",
        "return state[REFRESHES] + max(0, (last - state[REFRESH_DUE]) // params[REFI] + 1)",
        "return state[REFRESHES]",
        ("tests/memory/test_dram_events.py",),
    ),
    Mutation(
        "a refresh that is due when the run ends counts",
        "panacea_sim/memory/banked_timing.py",
        "last = _device_cycle(params, end_cycle) - 1",
        "last = _device_cycle(params, end_cycle)",
        ("tests/memory/test_dram_events.py",),
    ),
    Mutation(
        "only openings of banks that had no open row count",
        "panacea_sim/memory/banked_timing.py",
        "state[ACTIVATES] += 1",
        "state[ACTIVATES] += state[at_bank + OPEN_ROW] == CLOSED",
        ("tests/memory/test_dram_events.py",),
    ),
    Mutation(
        "refresh needs no precharge",
        "panacea_sim/memory/banked_timing.py",
        "start = max(start, max(due, state[at_bank + PRECHARGE_READY]) + params[RP])",
        "start = max(start, due, state[at_bank + PRECHARGE_READY])",
        DRAM,
    ),
    Mutation(
        "closed pages need no precharge",
        "panacea_sim/memory/banked_timing.py",
        "state[at_bank + ACTIVATE_READY], state[at_bank + PRECHARGE_READY] + params[RP]",
        "state[at_bank + ACTIVATE_READY], state[at_bank + PRECHARGE_READY]",
        DRAM,
    ),
    Mutation(
        "the next command waits for the data",
        "panacea_sim/memory/banked_timing.py",
        "state[NEXT_DECISION] = last + params[CCD_S]",
        "state[NEXT_DECISION] = end",
        DRAM,
    ),
    Mutation(
        "a segment runs over the end of its row",
        "panacea_sim/memory/banked_timing.py",
        "left = (params[BURSTS_PER_ROW] - column) * rotated - (group & rotated - 1)",
        "left = (params[BURSTS_PER_ROW] - column) * rotated",
        DRAM,
    ),
    Mutation(
        "too old a cycle early",
        "panacea_sim/memory/banked_timing.py",
        "if cycle - queue[base + REQUEST_CYCLE] > params[AGE_CAP]:",
        "if cycle - queue[base + REQUEST_CYCLE] >= params[AGE_CAP]:",
        DRAM,
    ),
    Mutation(
        "rows of waiting requests stay closed",
        "panacea_sim/memory/banked_timing.py",
        "if ready <= now:",
        "if ready > now:",
        DRAM,
    ),
    Mutation(
        "data is there before its cycle begins",
        "panacea_sim/memory/banked_timing.py",
        "return _converted(cycle, params[CLOCK_DENOMINATOR], params[CLOCK_NUMERATOR])",
        "return cycle * params[CLOCK_DENOMINATOR] // params[CLOCK_NUMERATOR]",
        DRAM,
    ),
    Mutation(
        "requests arrive before their cycle",
        "panacea_sim/memory/banked_timing.py",
        "return _converted(cycle, params[CLOCK_NUMERATOR], params[CLOCK_DENOMINATOR])",
        "return cycle * params[CLOCK_NUMERATOR] // params[CLOCK_DENOMINATOR]",
        DRAM,
    ),
)

ACCOUNTING_RULES = (
    Mutation(
        "a wait has one holder",
        "panacea_sim/engines/reference/posted_request.py",
        "if current is not None and current[2:] == stretch[2:]:",
        "if current is not None:",
        INTERPRETER,
    ),
    Mutation(
        "the part whose data comes last speaks",
        "panacea_sim/engines/reference/posted_request.py",
        "if self._first_data is None or (cycle, part) < self._first_data:",
        "if self._first_data is None or (cycle, part) > self._first_data:",
        INTERPRETER,
    ),
    Mutation(
        "the channel of the last part speaks for equal ones",
        "panacea_sim/engines/reference/posted_request.py",
        "if self._first_data is None or (cycle, part) < self._first_data:",
        "if self._first_data is None or cycle <= self._first_data[0]:",
        HAND_WORKED,
    ),
    Mutation(
        "turnaround takes the rows' time",
        "panacea_sim/engines/reference/posted_request.py",
        "min(service.turnaround_until, row_until),",
        "row_until,",
        INTERPRETER_BANKS,
    ),
    Mutation(
        "rows take the latency's time",
        "panacea_sim/engines/reference/posted_request.py",
        "row_until = min(service.row_until, service.start_cycle)",
        "row_until = service.start_cycle",
        INTERPRETER_BANKS,
    ),
    Mutation(
        "latency that other data hides counts as latency",
        "panacea_sim/memory/banked_timing.py",
        "shown_latency = max(0, now + latency - max(now, state[BUS_END]))",
        "shown_latency = latency",
        DRAM,
    ),
    Mutation(
        "a channel is starved before its first request",
        "panacea_sim/engines/reference/channel.py",
        "self._without_request = self.activity.code(State.IDLE)",
        "self._without_request = self.activity.code(State.STARVED, NO_REQUESTS)",
        INTERPRETER,
    ),
    Mutation(
        "a component is busy after its last firing",
        "panacea_sim/engines/reference/processes.py",
        "self.log.rows.extend((self._idle, self.last_end_cycle, makespan_cycles, NO_FIRING))",
        "self.log.rows.extend((self._busy, self.last_end_cycle, makespan_cycles, NO_FIRING))",
        HAND_WORKED,
    ),
    Mutation(
        "waits for space show behind data in flight",
        "panacea_sim/engines/reference/processes.py",
        "visible_cycle = max(start_cycle, self.last_end_cycle)",
        "visible_cycle = start_cycle",
        HAND_WORKED,
    ),
    Mutation(
        "states may fall short of the makespan",
        "panacea_sim/analysis/accounting.py",
        "if total != result.makespan_cycles:",
        "if total > result.makespan_cycles:",
        ACCOUNTS,
    ),
    Mutation(
        "tokens may be left over",
        "panacea_sim/analysis/accounting.py",
        "if queue.put != queue.taken:",
        "if queue.put < queue.taken:",
        ACCOUNTS,
    ),
    Mutation(
        "memories may be overfull by one",
        "panacea_sim/analysis/accounting.py",
        "if queue.high_water > queue.capacity:",
        "if queue.high_water > queue.capacity + 1:",
        ACCOUNTS,
    ),
    Mutation(
        "channels may move more than was asked for",
        "panacea_sim/analysis/accounting.py",
        "if asked != moved:",
        "if asked > moved:",
        ACCOUNTS,
    ),
    Mutation(
        "channels may be twice as fast",
        "panacea_sim/analysis/accounting.py",
        "if moved > most:",
        "if moved > 2 * most:",
        ACCOUNTS,
    ),
    Mutation(
        "what a dispatcher waits is no stall of a group",
        "panacea_sim/analysis/layer_times.py",
        "waited = issued.end_cycle - before - issuer.service_cycles",
        "waited = issued.end_cycle - before",
        SIMULATION,
    ),
)

SEQUENCE_RULES = (
    Mutation(
        "layers are equal whatever they write",
        "panacea_sim/mapping/work.py",
        "for part in (written.ho, written.total, written.pieces):",
        "for part in ():",
        BARRIER,
    ),
    Mutation(
        "layers are equal whatever they write beside HO streams",
        "panacea_sim/mapping/work.py",
        "for part in (written.ho, written.total, written.pieces):",
        "for part in (written.ho,):",
        BARRIER,
    ),
    Mutation(
        "layers of all sizes are equal",
        "panacea_sim/mapping/work.py",
        "digest = hashlib.blake2b(repr((self.tiling, self.passes, self.sequential)).encode())",
        "digest = hashlib.blake2b(repr((self.passes, self.sequential)).encode())",
        BARRIER,
    ),
    Mutation(
        "masks are equal whatever they are of",
        "panacea_sim/mapping/work.py",
        "digest.update(repr(array.shape).encode())",
        "digest.update(bytes())",
        BARRIER,
    ),
    Mutation(
        "layers are equal whatever their activations skip",
        "panacea_sim/machines/shared/sliced_work.py",
        "return self.masks.weight, self.masks.activation",
        "return (self.masks.weight,)",
        BARRIER,
    ),
    Mutation(
        "layers are equal whatever their weights skip",
        "panacea_sim/machines/shared/sliced_work.py",
        "return self.masks.weight, self.masks.activation",
        "return (self.masks.activation,)",
        BARRIER,
    ),
    Mutation(
        "layers run side by side",
        "panacea_sim/analysis/joined_results.py",
        "sum(result.makespan_cycles for result in results),",
        "max(result.makespan_cycles for result in results),",
        SEQUENCE,
    ),
    Mutation(
        "the capacity of the smallest layer",
        "panacea_sim/analysis/joined_results.py",
        "max(totals.capacity for totals in found),",
        "min(totals.capacity for totals in found),",
        JOINED,
    ),
    Mutation(
        "high-water marks add up",
        "panacea_sim/analysis/joined_results.py",
        "max(totals.high_water for totals in found),",
        "sum(totals.high_water for totals in found),",
        JOINED,
    ),
    Mutation(
        "a part that a layer lacks is nowhere",
        "panacea_sim/analysis/joined_results.py",
        'for total in result.totals.get(name, [StallTotal(State.IDLE, "", "", result.makespan_cycles)]):',
        "for total in result.totals.get(name, []):",
        SEQUENCE,
    ),
    Mutation(
        "every layer ends as if it had begun in cycle 0",
        "panacea_sim/running/sequence.py",
        '"end_cycle": layer.end_cycle + offset_cycles,',
        '"end_cycle": layer.end_cycle,',
        SEQUENCE,
    ),
    Mutation(
        "traced layers are taken for equal ones",
        "panacea_sim/running/sequence.py",
        'self._memoizes = options.memoize and self._recorded.level == "off" and prepared.values_way == "off"',
        'self._memoizes = options.memoize and prepared.values_way == "off"',
        ("tests/running/test_layers.py::test_traced_layers_all_run",),
    ),
)

VALUES_RULES = (
    Mutation(
        "compiled: a LO weight counts as one of a HO slice",
        "panacea_sim/machines/panacea/check/tasks.py",
        "_add_products(room, where, k, factors[0], tile.lo[group, k], columns)",
        "_add_products(room, where, k, factors[-1], tile.lo[group, k], columns)",
        CHECKED,
    ),
    Mutation(
        "compiled: HO slices are unsigned",
        "panacea_sim/machines/panacea/check/tasks.py",
        "weight = np.int32((np.int64(nibbles[lane] ^ 8) - 8) * factor)",
        "weight = np.int32(np.int64(nibbles[lane]) * factor)",
        CHECKED,
    ),
    Mutation(
        "compiled: a visit forgets the ones before",
        "panacea_sim/machines/panacea/check/tasks.py",
        "before = state.sums[row + i, column + j] if state.is_partial[m, n] else 0",
        "before = 0",
        CHECKED_MAPPINGS,
    ),
    Mutation(
        "compiled: sums of a visit are kept for the next one",
        "panacea_sim/machines/panacea/check/tasks.py",
        "room.sums[place] = 0",
        "room.sums[place] += 0",
        CHECKED_MAPPINGS,
    ),
    Mutation(
        "compiled: the second tile of a stack is read where the first lies",
        "panacea_sim/machines/panacea/check/tasks.py",
        "weight_at += size",
        "weight_at += 0",
        CHECKED_MAPPINGS,
    ),
    Mutation(
        "compiled: a requantized half goes down",
        "panacea_sim/machines/shared/compiled/output_path.py",
        "code: int = (((product >> (path.shift[row] - 1)) + 1) >> 1) + path.zero_point",
        "code: int = (product >> path.shift[row]) + path.zero_point",
        CHECKED,
    ),
    Mutation(
        "compiled: a skip may be one longer",
        "panacea_sim/machines/shared/compiled/tile_code.py",
        "if tile.stored[s, g, k] or skips == max_skip:",
        "if tile.stored[s, g, k] or skips == max_skip + 1:",
        TILE_CODE,
    ),
    Mutation(
        "compiled: a code that goes on is taken for a tile",
        "panacea_sim/machines/shared/compiled/tile_code.py",
        "if bit + 8 <= end:",
        "if bit + 8 < end:",
        TILE_CODE,
    ),
    Mutation(
        "auto lets one task more travel",
        "panacea_sim/running/values_choice.py",
        'if tasks <= MOST_TRAVELLING_TASKS and engine != "compiled":',
        'if tasks <= MOST_TRAVELLING_TASKS + 1 and engine != "compiled":',
        CHOSEN,
    ),
    Mutation(
        "masks beside operands are values that are off",
        "panacea_sim/running/values_choice.py",
        "if 0 < len(masked) < len(layers):",
        "if 1 < len(masked) < len(layers):",
        ("tests/running/test_values_choice.py::test_a_mixture_is_refused_by_name",),
    ),
)

BATCH_RULES = (
    Mutation(
        "a run of a batch works on the arrays of the first",
        "panacea_sim/engines/compiled/batch.py",
        "np.add(self._offsets, run * self._strides, out=core.steps[:, col.OFFSET])",
        "np.add(self._offsets, 0 * self._strides, out=core.steps[:, col.OFFSET])",
        BATCH,
    ),
    Mutation(
        "a run of a batch asks for the requests of the first",
        "panacea_sim/engines/compiled/batch.py",
        "np.add(self._first_request, run * self._requests, out=streams.ports[:, col.FIRST_REQUEST])",
        "np.add(self._first_request, 0 * self._requests, out=streams.ports[:, col.FIRST_REQUEST])",
        BATCH,
    ),
    Mutation(
        "a table of a batch is not as at the start",
        "panacea_sim/engines/compiled/batch.py",
        "for table, blank in self._blank:",
        "for table, blank in self._blank[1:]:",
        BATCH,
    ),
    Mutation(
        "the makespan of a batch lasts from its first run on",
        "panacea_sim/engines/compiled/batch.py",
        "self._makespans.append(makespan_cycles)",
        "self._makespans.append(makespan_cycles + run)",
        BATCH,
    ),
    Mutation(
        "all layers of a batch end where the first firing ends",
        "panacea_sim/engines/compiled/batch.py",
        'self._last_ends[name].append(int(self._events(f"ended:{name}")[-1]))',
        'self._last_ends[name].append(int(self._events(f"ended:{name}")[0]))',
        BATCH,
    ),
    Mutation(
        "all layers of a batch have the services of the first",
        "panacea_sim/engines/compiled/batch.py",
        "self._figures.append(figures_of(self._accounts, self._served[run], core, streams, makespan_cycles))",
        "self._figures.append(figures_of(self._accounts, self._served[0], core, streams, makespan_cycles))",
        BATCH,
    ),
    Mutation(
        "all layers of a batch give what the first gave",
        "panacea_sim/running/batches.py",
        "LayerRun(key, BatchedOutcome(outcome, place[number]) if number in place else None)",
        "LayerRun(key, BatchedOutcome(outcome, 0) if number in place else None)",
        BATCH,
    ),
    Mutation(
        "equal layers of a batch run again",
        "panacea_sim/running/batches.py",
        "if task.memoizes:",
        "if not task.memoizes:",
        BATCH,
    ),
)

MUTATIONS = (
    *SERVICE_RULES,
    *WORK_RULES,
    *MAPPING_RULES,
    *MACHINE_RULES,
    *ENGINE_RULES,
    *DRAM_RULES,
    *ACCOUNTING_RULES,
    *SEQUENCE_RULES,
    *VALUES_RULES,
    *BATCH_RULES,
)
