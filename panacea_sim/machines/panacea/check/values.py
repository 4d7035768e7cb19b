"""Values that are checked: the DRAM image of a program, the compiled pass over it, and the comparison at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from panacea_sim.description.worker import Worker
from panacea_sim.engines.compiled.threads import opened_threads
from panacea_sim.machines.panacea.check.layer_pass import LayerPass
from panacea_sim.machines.panacea.check.packing import pack_layer
from panacea_sim.machines.panacea.check.tables import Constants
from panacea_sim.machines.panacea.pea import activation_factors, weight_factors
from panacea_sim.machines.panacea.settings import PanaceaHardware, panacea_hardware
from panacea_sim.machines.shared.compiled.output_path import ACTIVATION, DENSE, WEIGHT, OutputPath
from panacea_sim.machines.shared.compiled.tile_code import ByteArray
from panacea_sim.machines.shared.encoded_tiles import output_pieces
from panacea_sim.machines.shared.image import check_outputs
from panacea_sim.machines.shared.program import Program
from panacea_sim.quant.requantizer import Requantizer, WeightRequantizer
from panacea_sim.quant.rle import MAX_SKIP, count_bits
from panacea_sim.quant.widths import SLICE_BITS
from panacea_sim.workload.functional import FunctionalPass, WrittenCodes, offline_compensation
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.output_format import OutputFormat

__all__ = ["CheckedValues"]

_READ_AHEAD_BYTES = 2
"""Bytes behind the last tile, which a decoder may look at."""


class CheckedValues:
    """The values of a run that travel nowhere: a compiled pass does to every tile what the components would do.

    `image` is the DRAM, byte by byte, with the packed operands in it; `constants` holds the numbers of each layer's
    components, `outputs` those of their output paths, one for each format. What is changed in any of them before
    `exact` is what the pass works with. After it, `accumulators` holds
    what came out, int32 [M, N] for each layer.
    """

    def __init__(self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]) -> None:
        self.image: ByteArray = np.zeros(program.layers[-1].layout.end + _READ_AHEAD_BYTES, np.uint8)
        self.constants = [layer_constants(layer, panacea_hardware(program.hardware)) for layer in layers]
        self.outputs = [[output_path(written) for written in wanted.written] for wanted in functional]
        self.accumulators: list[npt.NDArray[np.int32]] = []
        self._program = program
        self._functional = functional
        for planned, layer, constants in zip(program.layers, layers, self.constants, strict=True):
            pack_layer(planned, layer, constants.code, self.image)

    @property
    def workers(self) -> Mapping[str, Worker]:
        """Nobody: components fire without values."""
        return {}

    def exact(self) -> bool:
        """Run the pass, and return whether every accumulator equals the plain integer product.

        Raises InvariantError where a PEA's work is not as planned, or where the accumulators are right but a written
        output is not; CodecError for bytes that are no tile.
        """
        passes = []
        with opened_threads() as threads:
            hardware = panacea_hardware(self._program.hardware)
            for planned, constants, outputs in zip(self._program.layers, self.constants, self.outputs, strict=True):
                # Each layer reads what those before have written.
                passes.append(LayerPass(planned, constants, outputs, hardware, self.image))
                passes[-1].run(threads)
        self.accumulators = [each.accumulators for each in passes]
        if not all(
            np.array_equal(found, wanted.accumulator)
            for found, wanted in zip(self.accumulators, self._functional, strict=True)
        ):
            return False
        hardware = panacea_hardware(self._program.hardware)
        pieces = output_pieces(hardware.v, hardware.tile_k, may_be_raw=hardware.may_be_raw)
        for each, wanted in zip(passes, self._functional, strict=True):
            each.check_written_bytes()
            check_outputs(each.planned, wanted, pieces, self._is_at)
        return True

    def _is_at(self, address: int, piece: bytes) -> bool:
        return self.image[address : address + len(piece)].tobytes() == piece


def layer_constants(layer: GemmLayer, hardware: PanaceaHardware) -> Constants:
    """Return what the components of a layer work with."""
    return Constants(
        weight_factors(layer),
        activation_factors(layer),
        offline_compensation(layer),
        np.arange(hardware.n_pea),
        (count_bits(hardware.tile_k), MAX_SKIP, int(hardware.may_be_raw)),
    )


def output_path(written: WrittenCodes) -> OutputPath:
    """Return what PPU and encoder work with in one of the formats of a layer."""
    form, made_by = written.format, written.post_processor
    if isinstance(made_by, WeightRequantizer):
        fixed: WeightRequantizer | Requantizer = made_by
        zero_point, lowest, highest, codes = 0, made_by.lowest, made_by.highest, None
    else:
        fixed = made_by.requantizer
        zero_point, lowest, highest, codes = fixed.zero_point, 0, (1 << fixed.bits) - 1, made_by.codes
    return OutputPath(
        written.rows,
        fixed.multiplier,
        fixed.shift,
        fixed.offset,
        np.zeros(0, np.int64) if codes is None else codes.astype(np.int64),
        np.array(() if form is None else form.frequent, np.int64),
        zero_point,
        lowest,
        highest,
        DENSE if form is None else ACTIVATION if isinstance(form, OutputFormat) else WEIGHT,
        form.lo_bits if isinstance(form, OutputFormat) else SLICE_BITS,
        int(form is None or form.form.vectors_on == "columns"),
    )
