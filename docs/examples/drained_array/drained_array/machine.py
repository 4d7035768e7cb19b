"""An output-stationary array whose sums leave through a drain, some rows of an output tile in a cycle."""

from dataclasses import replace
from types import MappingProxyType
from typing import Annotated

from panacea_sim.bounds import Parts
from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Queue
from panacea_sim.description.steps import Give, Take
from panacea_sim.hardware.knobs import Step
from panacea_sim.machines.sa_os.build import SaOs
from panacea_sim.machines.sa_os.settings import SaOsHardware
from panacea_sim.machines.shared.program import Program
from panacea_sim.units import ceil_div, repeated


class DrainedArrayHardware(SaOsHardware):
    """The fields of sa_os, and how many rows of a tile leave the array in a cycle."""

    drain_rows_per_cycle: Annotated[Parts, Step("rate", "rows/cycle")]


class DrainedArray(SaOs):
    """The array of sa_os with one more component behind it."""

    name = "drained_array"
    settings = DrainedArrayHardware
    values_ways = ("off",)  # nobody has written a worker for the drain
    rates = MappingProxyType({**SaOs.rates, "drain": ("drain_rows_per_cycle",)})

    def describe(self, program: Program) -> Description:
        """Return the machine of sa_os with the drain between the array and the accumulator."""
        machine = super().describe(program)
        components = []
        for component in machine.components:
            if component.name == "array":
                (given,) = component.gives
                components += [replace(component, gives=(Give("q_drain", given.tokens),)), drain(program)]
            else:
                components.append(component)
        queues = (Queue("q_drain", program.hardware.queue_depth), *machine.queues)
        return replace(machine, components=tuple(components), queues=queues)


def drain(program: Program) -> Component:
    """Return `drain`: one firing for each visit to an output tile, of which it passes on all rows."""
    hardware = program.hardware
    assert isinstance(hardware, DrainedArrayHardware)
    one = repeated(1, len(program.visit_outputs))
    return Component(
        "drain",
        "compute",
        len(one),
        # The rows of each output tile [m, n].
        service_cycles=program.of_visits(
            lambda layer: ceil_div(
                layer.plan.work.outputs // layer.plan.work.tiling.columns, hardware.drain_rows_per_cycle
            )
        ),
        takes=(Take("q_drain", one),),
        gives=(Give("q_sum", one),),
        labels=program.visit_labels,
    )


MACHINE = DrainedArray()
