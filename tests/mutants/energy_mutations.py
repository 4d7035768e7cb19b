"""Faults of one line each in what runs are charged for, and the tests that must see them."""

from __future__ import annotations

from mutations import Mutation

__all__ = ["ENERGY_MUTATIONS"]

_COUNTED = ("tests/energy/test_operations.py",)
_CHARGED = ("tests/energy/test_energy_of_runs.py",)
_TABLES = ("tests/energy/test_energy_tables.py",)
_POWER = ("tests/energy/test_power_over_time.py",)
_COSTS = "panacea_sim/machines/shared/costs.py"

ENERGY_MUTATIONS = (
    Mutation(
        "writes take their energy while reads are on the bus",
        "panacea_sim/energy/power.py",
        "mine = np.isin(port, members) & (write == each.writes)",
        "mine = np.isin(port, members)",
        _POWER,
    ),
    Mutation(
        "what a firing does before a bin's edge is lost",
        "panacea_sim/energy/power.py",
        "return at, up_to(edges[at + 1]) - up_to(edges[at])",
        "return at, up_to(edges[at + 1])",
        _POWER,
    ),
    Mutation(
        "an outer product multiplies v numbers",
        _COSTS,
        "products = v**2",
        "products = v",
        _COUNTED,
    ),
    Mutation(
        "a CS step adds one number",
        _COSTS,
        "return costs_of_action(steps, **{COMPENSATE: v})",
        "return costs_of_action(steps, **{COMPENSATE: 1})",
        _COUNTED,
    ),
    Mutation(
        "static products cost nothing",
        "panacea_sim/machines/panacea/pea.py",
        "costs=(*outer_product_costs(dwo, v), *outer_product_costs(swo, v), *compensation_costs(cs, v)),",
        "costs=(*outer_product_costs(dwo, v), *compensation_costs(cs, v)),",
        _COUNTED,
    ),
    Mutation(
        "sums are read back on every visit",
        "panacea_sim/machines/shared/accumulator.py",
        'cost_of(read_of("OMEM"), lambda: outputs * (1 - _first_visits(program)), BYTES_PER_PARTIAL_SUM),',
        'cost_of(read_of("OMEM"), lambda: outputs, BYTES_PER_PARTIAL_SUM),',
        _COUNTED,
    ),
    Mutation(
        "the PPU reads a byte of each output",
        "panacea_sim/machines/shared/ppu.py",
        'cost_of(read_of("OMEM"), lambda: _own_outputs(program), BYTES_PER_PARTIAL_SUM),',
        'cost_of(read_of("OMEM"), lambda: _own_outputs(program)),',
        _COUNTED,
    ),
    Mutation(
        "spilled sums do not pass OMEM",
        "panacea_sim/machines/shared/streams.py",
        "costs=costs,",
        "costs=(),",
        _COUNTED,
    ),
    Mutation(
        "only encoded bytes are written into OMEM",
        "panacea_sim/machines/shared/packer.py",
        'costs=(cost_of(written_of("OMEM"), lambda: program.of_writes(lambda written: written.output_bytes.total)),),',
        'costs=(cost_of(written_of("OMEM"), lambda: program.of_writes(lambda written: written.output_bytes.ho)),),',
        _COUNTED,
    ),
    Mutation(
        "bursts are those of whole sizes",
        "panacea_sim/analysis/operations.py",
        "bursts = (-(-ends // burst_bytes) - requests.address // burst_bytes) * (requests.size_bytes > 0)",
        "bursts = requests.size_bytes // burst_bytes",
        _COUNTED,
    ),
    Mutation(
        "a tile that is fetched often is charged once",
        "panacea_sim/description/steps.py",
        "return of_requests if self.request is None else of_requests[self.request]",
        "return of_requests",
        _COUNTED,
    ),
    Mutation(
        "layers last from their own start",
        "panacea_sim/energy/counts.py",
        "ends = [*(layer.end_cycle for layer in layers[:-1]), summary.makespan_cycles]",
        "ends = [layer.end_cycle - 1 for layer in layers]",
        _CHARGED,
    ),
    Mutation(
        "memories leak in one bank",
        "panacea_sim/energy/prices.py",
        "return Price(one_bank.pj.times(memory.banks * self._pj_per_mw_cycle))",
        "return Price(one_bank.pj.times(self._pj_per_mw_cycle))",
        _CHARGED,
    ),
    Mutation(
        "a byte of DRAM is charged as a bit",
        "panacea_sim/energy/prices.py",
        "return Price(bit.range.times(BITS_PER_BYTE))",
        "return Price(bit.range)",
        _CHARGED,
    ),
    Mutation(
        "one channel is on",
        "panacea_sim/energy/prices.py",
        "return Price(power.times(self.inventory.dram_channels * self._pj_per_mw_cycle))",
        "return Price(power.times(self._pj_per_mw_cycle))",
        _CHARGED,
    ),
    Mutation(
        "written bits cost what read ones do",
        "panacea_sim/energy/prices.py",
        "written = operation == DRAM_WRITTEN and figure.written is not None",
        "written = False",
        _CHARGED,
    ),
    Mutation(
        "the low case has the cells of the nominal one",
        "panacea_sim/energy/energy.py",
        "return SramCells(by_energy[0], table.sram.nominal, by_energy[-1])",
        "return SramCells(table.sram.nominal, table.sram.nominal, by_energy[-1])",
        _CHARGED,
    ),
    Mutation(
        "what has no figure counts as nothing",
        "panacea_sim/energy/energy.py",
        "return None if self.unknown else self.known",
        "return self.known",
        _CHARGED,
    ),
    Mutation(
        "a layer of a batch has the operations of all",
        "panacea_sim/analysis/batch_layers.py",
        "name: {operation: int(totals[number]) for operation, totals in of_component.items()}",
        "name: {operation: int(totals.sum()) for operation, totals in of_component.items()}",
        ("tests/energy/test_energy_of_runs.py::test_compiled_batches_are_the_sum_of_their_layers",),
    ),
    Mutation(
        "banks are linear in their bytes",
        "panacea_sim/energy/sram.py",
        "share = math.log2(bank_bytes / below_bytes) / math.log2(above_bytes / below_bytes)",
        "share = float((bank_bytes - below_bytes) / (above_bytes - below_bytes))",
        _TABLES,
    ),
    Mutation(
        "a table forgets what its base says of operations",
        "panacea_sim/energy/table.py",
        "return {**of_base, **given} if keyed and isinstance(of_base, dict) and isinstance(given, dict) else given",
        "return given",
        _TABLES,
    ),
    Mutation(
        "areas are of one unit",
        "panacea_sim/energy/area.py",
        "mm2 = figure.range.times(Fraction(count, _UM2_PER_MM2))",
        "mm2 = figure.range.times(Fraction(1, _UM2_PER_MM2))",
        _TABLES,
    ),
)
