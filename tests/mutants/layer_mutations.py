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

LAYER_MUTATIONS = (
    Mutation(
        "vector work takes no time",
        _PPU,
        "program, _outputs(layer) * layer.plan.work.passes,",
        "program, _outputs(layer),",
        _PASSES,
    ),
    Mutation(
        "every pass rounds up by itself",
        _PPU,
        "program, _outputs(layer) * layer.plan.work.passes,",
        "program, ceil_div(_outputs(layer), lanes := program.hardware.ppu_lanes) * lanes * layer.plan.work.passes,",
        _PASSES,
    ),
    Mutation(
        "every pass reads the outputs again",
        _PPU,
        "_outputs(layer) * BYTES_PER_PARTIAL_SUM",
        "_outputs(layer) * layer.plan.work.passes * 4",
        _PASSES,
    ),
    Mutation(
        "free vector work takes passes",
        "panacea_sim/machines/panacea/build.py",
        'passes=layer.passes if chosen.vector == "fused" else 1,',
        "passes=layer.passes,",
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
        "name: sum(_cycles(totals[each], State.BUSY) for each in parts) / len(parts) "
        "for name, parts in members.items()",
        "name: sum(_cycles(totals[each], State.BUSY) for each in parts) for name, parts in members.items()",
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
        "return idle // max(1, len(computing))",
        "return idle",
        _OF_ALONE,
    ),
    Mutation(
        "waiting counts as a border",
        _ALONE,
        "idle = sum(_cycles(totals[name], State.IDLE) for name in computing)",
        "idle = sum(_cycles(totals[name], State.STARVED) for name in computing)",
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
