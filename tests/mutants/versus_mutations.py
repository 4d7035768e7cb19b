"""Faults of one line each in the comparison of machines and in what rivals cost, and the tests that must see them."""

from __future__ import annotations

from mutations import Mutation

__all__ = ["VERSUS_MUTATIONS"]

_COMMAND = ("tests/commands/test_versus_command.py",)
_VERDICTS = ("tests/analysis/test_versus_verdicts.py",)
_RIVALS = ("tests/energy/test_rivals.py",)
_ABLATED = ("tests/machines/panacea/test_ablated.py",)
_WORDS = "panacea_sim/analysis/versus/verdicts.py"
_CONTENDER = "panacea_sim/analysis/versus/contender.py"
_ABLATED_FILE = "panacea_sim/machines/panacea/ablated.py"

VERSUS_MUTATIONS = (
    Mutation(
        "one table is enough for a verdict",
        _WORDS,
        "if len({ratio.nominal < 1 for ratio in known}) > 1:",
        "if not known:",
        _VERDICTS,
    ),
    Mutation(
        "a verdict looks at the nominal case alone",
        _WORDS,
        "if any(ratio.low <= 1 <= ratio.high or abs(ratio.nominal - 1) < _NEAR for ratio in known):",
        "if any(abs(ratio.nominal - 1) < _NEAR for ratio in known):",
        _VERDICTS,
    ),
    Mutation(
        "the slowest machine wins",
        _WORDS,
        "first = min(part.runs, key=lambda each: each.cycles)",
        "first = max(part.runs, key=lambda each: each.cycles)",
        _VERDICTS,
    ),
    Mutation(
        "a best split is its own rival",
        _WORDS,
        "rivals = [each for each in part.runs if each.name not in {champion, champion + BEST}]",
        "rivals = [each for each in part.runs if each.name != champion]",
        _VERDICTS,
    ),
    Mutation(
        "the idlest component computes",
        _CONTENDER,
        "return max((summary.components[name][State.BUSY] for name in summary.machine.computing), default=None)",
        "return min((summary.components[name][State.BUSY] for name in summary.machine.computing), default=None)",
        _COMMAND,
    ),
    Mutation(
        "arrays are larger than the area allows",
        "panacea_sim/running/versus/machines.py",
        "found, size = larger, size + 1",
        "found, size = with_settings(hardware, machine.sized(hardware, size + 1)), size + 1",
        _COMMAND,
    ),
    Mutation(
        "rivals take the layer whose low bits are dropped",
        "panacea_sim/running/versus/fight.py",
        "given = [other if takes_own_codes(each.hardware) else layer for each in machines]",
        "given = [layer for each in machines]",
        _COMMAND,
    ),
    Mutation(
        "a slow-down counts as a speed-up",
        "panacea_sim/report/versus_speed_ups.py",
        "return {each.name: baseline / each.cycles for each in part.contenders}",
        "return {each.name: each.cycles / baseline for each in part.contenders}",
        ("tests/report/test_versus_speed_ups.py",),
    ),
    Mutation(
        "splits are ranked the worst one first",
        "panacea_sim/running/versus/splits.py",
        "ranked = sorted(range(len(machines)), key=cycles.__getitem__)",
        "ranked = sorted(range(len(machines)), key=cycles.__getitem__, reverse=True)",
        _COMMAND,
    ),
    Mutation(
        "pooled operators do dynamic work alone",
        "panacea_sim/machines/panacea/build.py",
        "return ceil_div(int(steps.max()), built.n_dwo + built.n_swo)",
        "return ceil_div(int(steps.max()), built.n_dwo + built.n_swo + built.n_cs)",
        _COMMAND,
    ),
    Mutation(
        "simd multiplies 4 bits",
        "panacea_sim/machines/simd/settings.py",
        "multiply: ClassVar[str] = MULTIPLY_8B",
        "multiply: ClassVar[str] = MULTIPLY_4B",
        _RIVALS,
    ),
    Mutation(
        "an array reads no tiles",
        "panacea_sim/machines/shared/systolic.py",
        "costs=(*mac_costs(macs), *tile_read_costs(program)),",
        "costs=(*mac_costs(macs),),",
        _RIVALS,
    ),
    Mutation(
        "the dispatcher reads for nothing",
        "panacea_sim/machines/shared/dealer.py",
        "costs=tile_read_costs(program),",
        "costs=(),",
        _RIVALS,
    ),
    Mutation(
        "raw tiles have no upper slices",
        _ABLATED_FILE,
        "bits = groups[:, None] * self.tiling.v * self.tiling.depths * SLICE_BITS * (1 + ho_slices)",
        "bits = groups[:, None] * self.tiling.v * self.tiling.depths * SLICE_BITS * ho_slices",
        _ABLATED,
    ),
    Mutation(
        "zeros are compensated",
        _ABLATED_FILE,
        "return _as(_UncompensatedWork, super().work(layer, hardware, computed))",
        "return super().work(layer, hardware, computed)",
        _ABLATED,
    ),
)
