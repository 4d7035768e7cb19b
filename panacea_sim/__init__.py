"""Discrete-event system simulator of the Panacea DNN accelerator.

What scripts and notebooks need can be imported from here: each name when it is used, at no cost before.
"""

from panacea_sim.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from panacea_sim.api.answers import Diagnosis, EnergyAnswer
    from panacea_sim.api.comparison import RunComparison, compare
    from panacea_sim.api.pages import Picture, Timeline
    from panacea_sim.api.quantization import quantize
    from panacea_sim.api.run import Run
    from panacea_sim.api.simulation import simulate
    from panacea_sim.api.sweeps import SweepResult, load_sweep, optimize, sweep
    from panacea_sim.api.versus import VersusResult, versus
    from panacea_sim.calibration.calibrator import Calibrator
    from panacea_sim.calibration.policy import QuantizationPolicy
    from panacea_sim.commands.main import run_script
    from panacea_sim.errors import ConfigError, PanaceaError
    from panacea_sim.exploring.axes import LatinHypercube, Range
    from panacea_sim.exploring.sweep import Sweep
    from panacea_sim.hardware.config import Hardware, load_hardware
    from panacea_sim.quant.quantizer import (
        calibrate_activations,
        dbs_bias,
        panacea_quantizer,
        quantize_weights,
        weight_scale,
    )
    from panacea_sim.running.model_scenario import model_scenario
    from panacea_sim.running.run import RunOptions, run
    from panacea_sim.running.scenario import Scenario, Study, load_scenario
    from panacea_sim.trace.options import TraceOptions
    from panacea_sim.workload.chain import calibrated_output, following
    from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
    from panacea_sim.workload.masked_layer import MaskedLayer
    from panacea_sim.workload.npz import load_layer, save_layer
    from panacea_sim.workload.output_format import ReadFormat, WeightFormat
    from panacea_sim.workload.synthetic import synthetic_layer

__all__ = [
    "Calibrator",
    "ConfigError",
    "Diagnosis",
    "EnergyAnswer",
    "GemmLayer",
    "Hardware",
    "LatinHypercube",
    "MaskedLayer",
    "OutputFormat",
    "PanaceaError",
    "Picture",
    "QuantizationPolicy",
    "Range",
    "ReadFormat",
    "Run",
    "RunComparison",
    "RunOptions",
    "Scenario",
    "Study",
    "Sweep",
    "SweepResult",
    "Timeline",
    "TraceOptions",
    "VersusResult",
    "WeightFormat",
    "calibrate_activations",
    "calibrated_output",
    "compare",
    "dbs_bias",
    "following",
    "load_hardware",
    "load_layer",
    "load_scenario",
    "load_sweep",
    "model_scenario",
    "optimize",
    "panacea_quantizer",
    "quantize",
    "quantize_weights",
    "run",
    "run_script",
    "save_layer",
    "simulate",
    "sweep",
    "synthetic_layer",
    "versus",
    "weight_scale",
]

__version__ = VERSION

_MODULES = {
    "api.answers": ("Diagnosis", "EnergyAnswer"),
    "api.comparison": ("RunComparison", "compare"),
    "api.pages": ("Picture", "Timeline"),
    "api.quantization": ("quantize",),
    "api.run": ("Run",),
    "api.simulation": ("simulate",),
    "api.sweeps": ("SweepResult", "load_sweep", "optimize", "sweep"),
    "api.versus": ("VersusResult", "versus"),
    "calibration.calibrator": ("Calibrator",),
    "calibration.policy": ("QuantizationPolicy",),
    "commands.main": ("run_script",),
    "exploring.axes": ("LatinHypercube", "Range"),
    "exploring.sweep": ("Sweep",),
    "errors": ("ConfigError", "PanaceaError"),
    "hardware.config": ("Hardware", "load_hardware"),
    "quant.quantizer": (
        "calibrate_activations",
        "dbs_bias",
        "panacea_quantizer",
        "quantize_weights",
        "weight_scale",
    ),
    "running.model_scenario": ("model_scenario",),
    "running.run": ("RunOptions", "run"),
    "running.scenario": ("Scenario", "Study", "load_scenario"),
    "trace.options": ("TraceOptions",),
    "workload.chain": ("calibrated_output", "following"),
    "workload.gemm_layer": ("GemmLayer", "OutputFormat"),
    "workload.masked_layer": ("MaskedLayer",),
    "workload.npz": ("load_layer", "save_layer"),
    "workload.output_format": ("ReadFormat", "WeightFormat"),
    "workload.synthetic": ("synthetic_layer",),
}
"""Where the names are: a script that wants a part of the package should not wait for the rest."""

_HOMES = {name: module for module, names in _MODULES.items() for name in names}


if not TYPE_CHECKING:  # a type checker would take any name for one of ours

    def __getattr__(name: str) -> object:
        """Import what a name stands for when it is first used."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415  # nothing is imported before it is used

        found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    """Return all names, those too that have not been used yet."""
    return sorted({*globals(), *__all__})
