"""Faults of one line each in outputs with values that are read in several formats, and the tests that must see them."""

from __future__ import annotations

from mutations import Mutation

__all__ = ["READ_FORMAT_MUTATIONS"]

_ENCODER = "panacea_sim/machines/shared/encoded_tiles.py"
_IMAGE = "panacea_sim/machines/shared/image.py"
_PACKER = "panacea_sim/machines/shared/packer.py"
_PLANNED = "panacea_sim/machines/shared/encoded_outputs.py"
_PPU = "panacea_sim/machines/shared/ppu.py"
_FUNCTIONAL = "panacea_sim/workload/functional.py"
_PATH = "panacea_sim/machines/shared/compiled/output_path.py"
_LAYER = "panacea_sim/machines/panacea/check/layer_pass.py"

_TRAVEL = ("tests/machines/panacea/test_read_formats.py",)
_CHECK = ("tests/machines/panacea/test_compiled_read_formats.py",)
_WRITTEN = ("tests/workload/test_output_format.py",)

READ_FORMAT_MUTATIONS = (
    Mutation(
        "keys are packed as values",
        _ENCODER,
        'weight = tile if form.features_on == "m" else tile.T',
        'weight = tile if form.features_on == "k" else tile.T',
        _TRAVEL,
    ),
    Mutation(
        "the encoder forgets a tile after its first format",
        _PACKER,
        "tile, form = self._tile[number], self._formats[self._layer[firing]][number]",
        "tile, form = self._tile[0], self._formats[self._layer[firing]][number]",
        _TRAVEL,
    ),
    Mutation(
        "every format is packed as the first",
        _PACKER,
        "tile, form = self._tile[number], self._formats[self._layer[firing]][number]",
        "tile, form = self._tile[number], self._formats[self._layer[firing]][0]",
        _TRAVEL,
    ),
    Mutation(
        "the PPU takes the first rows of a tile",
        _PPU,
        "sums = tile[written.rows[part] - features.start]",
        "sums = tile[: part.stop - part.start]",
        _TRAVEL,
    ),
    Mutation(
        "the PPU requantizes all formats with the constants of the first tile",
        _PPU,
        "made.append(written.post_processor.rows(part.start, part.stop).apply(sums) if len(sums) else None)",
        "made.append(written.post_processor.rows(0, part.stop - part.start).apply(sums) if len(sums) else None)",
        _TRAVEL,
    ),
    Mutation(
        "only the first format is compared",
        _IMAGE,
        "for number, written in enumerate(wanted.written):",
        "for number, written in enumerate(wanted.written[:1]):",
        _TRAVEL,
    ),
    Mutation(
        "packed sizes are not compared with planned ones",
        _IMAGE,
        'check_packed(f"{name}: output", (m, n), address - int(first), int(planned_bytes[m, n]))',
        "pass",
        _TRAVEL,
    ),
    Mutation(
        "vectors of features reach into the next tile",
        _PLANNED,
        "groups = ceil_div(features, tiling.v)",
        "groups = -(-features.cumsum() // tiling.v) - -(-(features.cumsum() - features) // tiling.v)",
        _TRAVEL,
    ),
    Mutation(
        "keys are planned with vectors on features",
        _PLANNED,
        'if form.features_on == "k":',
        "if False:",
        _TRAVEL,
    ),
    Mutation(
        "the scale of a weight is that of all features",
        _FUNCTIONAL,
        "real = real_outputs(layer, accumulator).reshape(-1, layer.N)[some]",
        "real = real_outputs(layer, accumulator).reshape(-1, layer.N)",
        _WRITTEN,
    ),
    Mutation(
        "features that are read have the bias of the first ones",
        _FUNCTIONAL,
        '"bias": _bias_of(layer).ravel()[some],',
        '"bias": _bias_of(layer).ravel()[: len(weight)],',
        _WRITTEN,
    ),
    Mutation(
        "the check takes the rows of a tile that stand first",
        _PATH,
        "written.codes[i, j] = _requantize(sums[path.rows[first + i], column + j], first + i, path)",
        "written.codes[i, j] = _requantize(sums[first + i, column + j], first + i, path)",
        _CHECK,
    ),
    Mutation(
        "the check has other constants",
        _PATH,
        "written.codes[i, j] = _requantize(sums[path.rows[first + i], column + j], first + i, path)",
        "written.codes[i, j] = _requantize(sums[path.rows[first + i], column + j], i, path)",
        _CHECK,
    ),
    Mutation(
        "the check packs negative digits as they are",
        _PATH,
        "upper = (code >> 3) + (code < 0) if s < slices else 0",
        "upper = (code >> 3) if s < slices else 0",
        _CHECK,
    ),
    Mutation(
        "the check packs keys as values",
        _PATH,
        "length, lanes = (rows, columns) if path.on_columns else (columns, rows)",
        "length, lanes = rows, columns",
        _CHECK,
    ),
    Mutation(
        "the check writes tiles that are not finished",
        _PATH,
        "if not (places.fires[m, n] and is_finished[m, n]):",
        "if not places.fires[m, n]:",
        ("tests/machines/panacea/test_compiled_faults.py::test_an_output_that_is_never_written_is_an_error",),
    ),
    Mutation(
        "the check writes all formats where the first one lies",
        _LAYER,
        "_whole(self.planned.layout.output[..., number]),",
        "_whole(self.planned.layout.output[..., 0]),",
        _CHECK,
    ),
    Mutation(
        "formats of a layer are no part of the digest",
        "panacea_sim/running/digest.py",
        "if layer.formats:",
        "if False:",
        ("tests/running/test_digest.py",),
    ),
)
