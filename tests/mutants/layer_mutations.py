"""Faults of one line each in what is known of single layers: vector work, operands, bounds and figures of its run."""

from __future__ import annotations

from mutations import Mutation

__all__ = ["LAYER_MUTATIONS"]

_PPU = "panacea_sim/machines/shared/ppu.py"
_ALONE = "panacea_sim/analysis/alone.py"
_KINDS = "panacea_sim/report/kinds.py"

_PASSES = ("tests/running/test_network_scenario.py::test_vector_work_takes_passes_of_the_ppu",)
_SYMMETRIC = ("tests/workload/test_symmetric_activations.py",)
_BOUNDS = ("tests/test_bounds.py::test_the_table",)
_OF_ALONE = ("tests/analysis/test_alone.py",)
_OF_KINDS = ("tests/report/test_kinds.py",)

_STEPS = ("tests/mapping/test_waits.py",)
_LINKED = "tests/running/test_linked_scenarios.py"
_LABELS = (
    "tests/running/test_network_scenario.py::test_layers_of_a_network_keep_labels_and_mappings_where_they_overlap",
)

LAYER_MUTATIONS = (
    Mutation(
        "steps do not wait",
        "panacea_sim/mapping/sequential.py",
        'if operand != "x" or not plan.work.sequential:',
        'if operand != "x" or plan.work.sequential:',
        _STEPS,
    ),
    Mutation(
        "a step waits for the one after it",
        "panacea_sim/mapping/sequential.py",
        "return np.repeat(last[:-1], tiles // tiling.repeat)",
        "return np.repeat(last[1:], tiles // tiling.repeat)",
        _STEPS,
    ),
    Mutation(
        "weights of steps wait too",
        "panacea_sim/mapping/sequential.py",
        'if operand != "x" or not plan.work.sequential:',
        "if not plan.work.sequential:",
        _STEPS,
    ),
    Mutation(
        "steps count outputs from the beginning of the run",
        "panacea_sim/machines/shared/program.py",
        "needed += first[number[layer.plan.name]] * (needed > 0)",
        "needed += 0 * (needed > 0)",
        _STEPS,
    ),
    Mutation(
        "steps are equal work of products that do not wait",
        "panacea_sim/mapping/work.py",
        "digest = hashlib.blake2b(repr((self.tiling, self.passes, self.sequential)).encode())",
        "digest = hashlib.blake2b(repr((self.tiling, self.passes)).encode())",
        (f"{_LINKED}::test_steps_wait_in_both_schedules",),
    ),
    Mutation(
        "a network forgets its steps",
        "panacea_sim/running/network.py",
        "sequential=gemm.sequential,",
        "sequential=False,",
        ("tests/running/test_network_scenario.py::test_steps_stay_steps",),
    ),
    Mutation(
        "links are dropped where layers overlap",
        "panacea_sim/running/prepare.py",
        "link_layers(graph, scenario.links, _LINKS)",
        "link_layers(graph, (), _LINKS)",
        (f"{_LINKED}::test_a_scenario_waits_for_what_its_links_say",),
    ),
    Mutation(
        "links count in the digest of layers that run alone",
        "panacea_sim/running/digest.py",
        '_add_layers(content, layers, links if schedule == "overlap" else (), _counted_on(hardware))',
        "_add_layers(content, layers, links, _counted_on(hardware))",
        (f"{_LINKED}::test_links_count_where_layers_overlap",),
    ),
    Mutation(
        "scenario.yaml forgets links",
        "panacea_sim/running/scenario.py",
        "links=links,",
        "links=(),",
        (f"{_LINKED}::test_links_are_kept",),
    ),
    Mutation(
        "a run of numbers ends one too early",
        "panacea_sim/running/number_runs.py",
        "if turn > first or turn == last:",
        "if turn >= first:",
        ("tests/running/test_number_runs.py::test_numbers_by_hand",),
    ),
    Mutation(
        "what a run takes beside its layers counts for each",
        "panacea_sim/running/host_memory.py",
        "return PROGRAM_BYTES + sum(of_layers) - (len(of_layers) - 1) * _fixed_bytes(kind)",
        "return PROGRAM_BYTES + sum(of_layers)",
        (f"{_LINKED}::test_what_a_run_takes_beside_its_layers_counts_once",),
    ),
    Mutation(
        "overlapping layers count from their first fetch",
        "panacea_sim/report/layers.py",
        "return [end - before for before, end in zip([0, *ends], ends, strict=False)]",
        "return [layer.end_cycle - layer.start_cycle for layer in layers]",
        ("tests/report/test_terminal.py::test_layers_that_overlap_count_from_write_to_write",),
    ),
    Mutation(
        "overlapping layers lose their kinds",
        "panacea_sim/running/run.py",
        "parts = replace(parts, layers=_as_in_their_network(parts.layers, prepared))",
        "parts = replace(parts, layers=parts.layers)",
        _LABELS,
    ),
    Mutation(
        "vector work takes no time",
        _PPU,
        "program, layer.tile_outputs * layer.plan.work.passes, layer.tile_outputs * BYTES_PER_PARTIAL_SUM",
        "program, layer.tile_outputs, layer.tile_outputs * BYTES_PER_PARTIAL_SUM",
        _PASSES,
    ),
    Mutation(
        "every pass rounds up by itself",
        _PPU,
        "program, layer.tile_outputs * layer.plan.work.passes, layer.tile_outputs * BYTES_PER_PARTIAL_SUM",
        "program, -(-layer.tile_outputs // program.hardware.ppu_lanes) * program.hardware.ppu_lanes "
        "* layer.plan.work.passes, layer.tile_outputs * BYTES_PER_PARTIAL_SUM",
        _PASSES,
    ),
    Mutation(
        "every pass reads the outputs again",
        _PPU,
        "program, layer.tile_outputs * layer.plan.work.passes, layer.tile_outputs * BYTES_PER_PARTIAL_SUM",
        "program, layer.tile_outputs * layer.plan.work.passes, layer.tile_outputs * layer.plan.work.passes * "
        "BYTES_PER_PARTIAL_SUM",
        _PASSES,
    ),
    Mutation(
        "free vector work takes passes",
        "panacea_sim/machines/shared/layer_outputs.py",
        "return layer.passes if stays else 1",
        "return layer.passes",
        _PASSES,
    ),
    Mutation(
        "outputs with vector work are requantized for nothing",
        "panacea_sim/workload/networks/vector_work.py",
        "return REQUANTIZE_PASSES + sum(PASSES[name] for name in work)",
        "return max(REQUANTIZE_PASSES, sum(PASSES[name] for name in work))",
        _PASSES,
    ),
    Mutation(
        "symmetric codes run as unsigned ones",
        "panacea_sim/machines/panacea/build.py",
        "if layer.is_symmetric:",
        "if False:",
        _SYMMETRIC,
    ),
    Mutation(
        "symmetric codes may have a frequent slice",
        "panacea_sim/workload/gemm_layer.py",
        "if self.r is not None and self.is_symmetric:",
        "if False:",
        _SYMMETRIC,
    ),
    Mutation(
        "symmetric codes may be read from a layer",
        "panacea_sim/workload/chain.py",
        "if layer.is_symmetric:",
        "if False:",
        _SYMMETRIC,
    ),
    Mutation(
        "symmetric codes have the digest of unsigned ones",
        "panacea_sim/running/digest.py",
        "if layer.is_symmetric:",
        "if False:",
        _SYMMETRIC,
    ),
    Mutation(
        "sizes may need 32 bits",
        "panacea_sim/bounds.py",
        "Size: TypeAlias = Annotated[int, Ge(1), Le(2**31 - 1)]",
        "Size: TypeAlias = Annotated[int, Ge(1), Le(2**31)]",
        _BOUNDS,
    ),
    Mutation(
        "counts may be zero",
        "panacea_sim/bounds.py",
        "Count: TypeAlias = Annotated[int, Ge(1), Le(65_536)]",
        "Count: TypeAlias = Annotated[int, Ge(0), Le(65_536)]",
        _BOUNDS,
    ),
    Mutation(
        "the busiest group is the largest",
        _ALONE,
        "busy = {name: sum([busy_cycles[each] for each in parts]) / len(parts) for name, parts in members.items()}",
        "busy = {name: sum([busy_cycles[each] for each in parts]) for name, parts in members.items()}",
        _OF_ALONE,
    ),
    Mutation(
        "no channel is busiest",
        _ALONE,
        "members = {**topology.groups, **{channel: (channel,) for channel in topology.channels}}",
        "members = topology.groups",
        _OF_ALONE,
    ),
    Mutation(
        "borders are those of all components that compute",
        _ALONE,
        "return sum([idle_cycles[name] for name in computing]) // max(1, len(computing))",
        "return sum([idle_cycles[name] for name in computing])",
        _OF_ALONE,
    ),
    Mutation(
        "waiting counts as a border",
        _ALONE,
        "return border_of(topology, _of_state(totals, State.IDLE))",
        "return border_of(topology, _of_state(totals, State.STARVED))",
        _OF_ALONE,
    ),
    Mutation(
        "work of a kind is that of one product each",
        _KINDS,
        'f"{sum(layer.repeat * layer.M * layer.K * layer.N for layer in layers) / 1e9:,.3f}",',
        'f"{sum(layer.M * layer.K * layer.N for layer in layers) / 1e9:,.3f}",',
        _OF_KINDS,
    ),
    Mutation(
        "densities of a kind count its outputs",
        _KINDS,
        "_mean_density([(layer.rho_w, layer.M * layer.K * layer.repeat) for layer in layers]),",
        "_mean_density([(layer.rho_w, layer.M * layer.N * layer.repeat) for layer in layers]),",
        _OF_KINDS,
    ),
)
