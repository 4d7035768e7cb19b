"""Faults of one line each in vector stages, and the tests that must see them."""

from __future__ import annotations

from mutations import Mutation

__all__ = ["STAGE_MUTATIONS"]

_PLAN = "panacea_sim/mapping/stage.py"
_STREAMS = "panacea_sim/machines/shared/streams.py"
_WAITS = "panacea_sim/mapping/waits.py"
_WORK = "panacea_sim/workload/networks/vector_work.py"
_DERIVED = "panacea_sim/workload/networks/formats.py"
_OUTPUTS = "panacea_sim/machines/shared/layer_outputs.py"

_STAGES = ("tests/machines/shared/test_vector_stages.py",)
_OF_WAITS = ("tests/mapping/test_waits.py",)
_CLASSES = ("tests/running/test_mapping_class.py",)

STAGE_MUTATIONS = (
    Mutation(
        "elements between a layer and its stage have a byte",
        _PLAN,
        "RAW_BYTES = 2",
        "RAW_BYTES = 1",
        _STAGES,
    ),
    Mutation(
        "a panel has one input",
        _PLAN,
        "tile_bytes = tiling.rows[m] * tiling.columns[n] * stage.inputs * RAW_BYTES",
        "tile_bytes = tiling.rows[m] * tiling.columns[n] * RAW_BYTES",
        _STAGES,
    ),
    Mutation(
        "every panel is read once",
        _PLAN,
        "taken = np.broadcast_to((sweep == 0) | ~stays, shape)",
        "taken = np.broadcast_to(sweep == 0, shape)",
        _STAGES,
    ),
    Mutation(
        "a panel is freed with its sums",
        _PLAN,
        "(given | ~np.broadcast_to(stays, shape)).ravel().astype(np.int64),",
        "np.ones(m.size * sweeps, np.int64),",
        _STAGES,
    ),
    Mutation(
        "both sweeps take all passes",
        _PLAN,
        "return np.array([stage.passes - 1, 1]) if stage.reduces else np.array([stage.passes])",
        "return np.full(1 + stage.reduces, stage.passes)",
        _STAGES,
    ),
    Mutation(
        "a stage goes through m outermost",
        _PLAN,
        "return (product * tiling.m_tiles + m).reshape(-1, tiling.m_tiles), n.reshape(-1, tiling.m_tiles)",
        "return (product * tiling.m_tiles + m).T.reshape(-1, tiling.m_tiles), n.T.reshape(-1, tiling.m_tiles)",
        _STAGES,
    ),
    Mutation(
        "a stage reads what is not written yet",
        _STREAMS,
        "waits.append(written[stage.read_m, stage.read_n] * (stage.read_input == 0))",
        "waits.append(written[stage.read_m, stage.read_n] * (stage.read_input == 1))",
        _STAGES,
    ),
    Mutation(
        "all inputs of a stage lie at one place",
        _STREAMS,
        "address: IntArray = inputs[stage.read_m, stage.read_n, stage.read_input]",
        "address: IntArray = inputs[stage.read_m, stage.read_n, 0 * stage.read_input]",
        _STAGES,
    ),
    Mutation(
        "the PPU has a tile with its first input",
        _PLAN,
        "(number == stage.inputs - 1).astype(np.int64),",
        "(number == 0).astype(np.int64),",
        _STAGES,
    ),
    Mutation(
        "readers wait for what a stage reads",
        _WAITS,
        "if producer.stage is not None and producer.work.stage is not None:",
        "if False:",
        _OF_WAITS,
    ),
    Mutation(
        "a residual is one input",
        _WORK,
        '_SECOND_INPUT = ("residual", "product")',
        '_SECOND_INPUT = ("product",)',
        _STAGES,
    ),
    Mutation(
        "a softmax needs one feature",
        _WORK,
        '_REDUCES = ("norm", "softmax")',
        '_REDUCES = ("norm",)',
        _STAGES,
    ),
    Mutation(
        "earlier producers of a stage write formats",
        _DERIVED,
        "found |= producers",
        "pass",
        _STAGES,
    ),
    Mutation(
        "fused vector work has stages as well",
        _OUTPUTS,
        'if not isinstance(layer, MaskedLayer) or hardware.vector != "unfused" or not layer.feeds_stage:',
        "if not isinstance(layer, MaskedLayer) or not layer.feeds_stage:",
        _STAGES,
    ),
    Mutation(
        "stages make no class",
        "panacea_sim/running/mapping_class.py",
        "stage = layer.feeds_stage, layer.stage",
        "stage = False, None",
        _CLASSES,
    ),
    Mutation(
        "layers are equal whatever stage follows",
        "panacea_sim/mapping/work.py",
        "digest.update(repr(self.stage.stage).encode())",
        "pass",
        _STAGES,
    ),
)
