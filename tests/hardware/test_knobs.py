"""Knobs: every field of a machine is one or says why not, and what its turns are."""

from __future__ import annotations

from typing import Annotated

import pytest

from panacea_sim.bounds import Count
from panacea_sim.hardware.config import Hardware, load_hardware, settings_model
from panacea_sim.hardware.knobs import Choice, NoKnob, Step, declarations, ideal_settings, undeclared_fields
from panacea_sim.hardware.registry import machine_names

DEFAULT = load_hardware("panacea")


def _turns(hardware: Hardware, field: str) -> list[tuple[object, object]]:
    """Return before and after of every turn of a field, whether or not it counts."""
    return [
        (trial.before, trial.after)
        for each in declarations(type(hardware))
        if each.field == field
        for trial in each.knob.trials(field, hardware)
    ]


@pytest.mark.parametrize("machine", machine_names())
def test_no_field_is_forgotten(machine: str) -> None:
    """A field of a machine of this package has a knob, or a reason for having none."""
    model = settings_model(machine)
    forgotten = [name for name, reason in undeclared_fields(model).items() if not reason]
    assert not forgotten, f"{model.__name__}: {forgotten} need a Step, a Choice .. or a NoKnob with the reason"
    assert {each.field for each in declarations(model)} | set(undeclared_fields(model)) == set(model.model_fields)


def test_a_forgotten_field_is_noticed() -> None:
    """What the test above looks for: a field without metadata, and one whose reason is empty."""

    class Grown(Hardware):
        lanes: Count
        told: Annotated[Count, NoKnob("it is a test")]
        silent: Annotated[Count, NoKnob("")]

    found = undeclared_fields(Grown)
    assert {name for name, reason in found.items() if not reason} == {"lanes", "silent"}
    assert found["told"] == "it is a test"


@pytest.mark.parametrize(
    ("settings", "field", "wanted"),
    [
        ({}, "queue_depth", [(2, 4), (2, 1)]),
        ({"queue_depth": 3}, "queue_depth", [(3, 6), (3, 1)]),
        ({"pea_latency_cycles": 1}, "pea_latency_cycles", [(1, 2), (1, 0)]),
        ({"pea_latency_cycles": 0}, "pea_latency_cycles", []),
        ({}, "dram_page", [("open", "closed")]),
        ({"loop_order": "mnk"}, "loop_order", [("mnk", "auto")]),
        ({}, "loop_order", []),
        ({"dtp": "off"}, "dtp", [("off", "auto")]),
        ({"spill": "refuse"}, "spill", [("refuse", "allow")]),
        ({}, "tile_k", [(32, 64), (32, 16)]),
    ],
)
def test_turns_of_a_field(settings: dict[str, object], field: str, wanted: list[tuple[object, object]]) -> None:
    """Numbers are doubled and halved, words replaced; a turn that changes nothing is none."""
    assert _turns(load_hardware("panacea", settings), field) == wanted


def test_a_choice_offers_all_other_words() -> None:
    """Without a list of its own it takes the words of the annotation."""

    class Worded(Hardware):
        page: Annotated[str, Choice(only=("a", "b", "c"))]

    (found,) = [each.knob for each in declarations(Worded) if each.field == "page"]
    worded = Worded.model_construct(page="b")
    assert [trial.after for trial in found.trials("page", worded)] == ["a", "c"]


def test_a_split_tries_every_pair_of_the_same_sum() -> None:
    """Both fields change together, once, in the order of the first; a large sum is tried at 64 pairs."""
    small = load_hardware("panacea", {"n_dwo": 2, "n_swo": 3})
    split = [each for each in declarations(type(small)) if getattr(each.knob, "kind", "") == "split"]
    found = [trial.settings for each in split for trial in each.knob.trials(each.field, small)]
    assert found == [{"n_dwo": dwo, "n_swo": 5 - dwo} for dwo in (1, 3, 4)]
    large = load_hardware("panacea", {"n_dwo": 30_000, "n_swo": 1})
    tried = [trial.settings for each in split for trial in each.knob.trials(each.field, large)]
    assert {sum(pair.values()) for pair in tried} == {30_001}  # type: ignore[call-overload]  # numbers
    assert len({pair["n_dwo"] for pair in tried}) == len(tried) == 63  # the 64th is the machine itself


def test_a_priority_puts_one_port_first() -> None:
    """The others keep their order behind it; a port that is alone in front has no turn."""
    hardware = load_hardware("panacea", {"w_dma_priority": 1, "x_dma_priority": 3, "o_dma_priority": 2})
    found = {
        each.field: [trial.settings for trial in each.knob.trials(each.field, hardware)]
        for each in declarations(type(hardware))
        if getattr(each.knob, "kind", "") == "priority"
    }
    assert found["s_dma_priority"] == []
    assert found["x_dma_priority"] == [
        {"x_dma_priority": 0, "w_dma_priority": 2, "o_dma_priority": 3, "s_dma_priority": 1}
    ]


def test_what_does_not_count_is_known() -> None:
    """Bandwidth is bytes a cycle on the ideal memory, and channels on a device."""
    ideal = load_hardware("panacea", {"dram": "ideal", "dram_channels": 1})

    def counting(hardware: Hardware) -> set[str]:
        return {each.field for each in declarations(type(hardware)) if each.knob.when(hardware)}

    of_device = {"dram_channels", "dram_map", "dram_policy", "dram_age_cap_cycles", "dram_page"}
    assert counting(DEFAULT) - counting(ideal) == of_device | {"interleave_bytes"}
    assert counting(ideal) - counting(DEFAULT) == {"dram_bytes_per_cycle", "dram_latency_cycles"}


def test_ideal_machines() -> None:
    """Endless bandwidth keeps the read latency: the given one, or the device's for an open row, in whole cycles."""
    found = ideal_settings(DEFAULT)
    assert found["infinite_bandwidth"] == {
        "dram": "ideal",
        "dram_bytes_per_cycle": 2**20,
        "dram_latency_cycles": 14,  # HBM2: 14 cycles of 1 ns
    }
    assert set(found["unbounded_queues_and_memories"]) == {
        "wmem_bytes",
        "amem_bytes",
        "omem_bytes",
        "psum_bytes",
        "vmem_bytes",
        "queue_depth",
    }
    ideal = load_hardware("panacea", {"dram": "ideal", "dram_latency_cycles": 7, "dram_bytes_per_cycle": 2**30})
    assert ideal_settings(ideal)["infinite_bandwidth"]["dram_latency_cycles"] == 7
    assert ideal_settings(ideal)["infinite_bandwidth"]["dram_bytes_per_cycle"] == 2**30


def test_what_a_machine_costs() -> None:
    """Multipliers are those of DWOs and SWOs, SRAM the three memories, bandwidth that of all channels."""
    assert DEFAULT.multipliers == 16 * (4 + 8) * 16 == 3072
    assert load_hardware("panacea", {"n_cs": 8}).multipliers == 3072
    assert DEFAULT.sram_bytes == 196_608
    assert DEFAULT.dram_peak_bytes_per_cycle == pytest.approx(32)
    assert load_hardware("panacea", {"clock_hz": 500_000_000}).dram_peak_bytes_per_cycle == pytest.approx(64)
    ideal = load_hardware("panacea", {"dram": "ideal", "dram_bytes_per_cycle": 24, "dram_channels": 3})
    assert ideal.dram_peak_bytes_per_cycle == 72


def test_a_step_says_what_it_counts() -> None:
    """The unit of a step is that of its field."""
    trial = next(Step("rate", "lanes").trials("ppu_lanes", DEFAULT))
    assert (trial.knob, trial.before, trial.after, trial.unit) == ("ppu_lanes", 32, 64, "lanes")
