"""Whether ONNX models can be read here: the one place that imports the libraries to find out."""

from __future__ import annotations

from importlib import import_module

from panacea_sim.errors import ConfigError

__all__ = ["require_onnx"]

_LIBRARIES = ("onnx", "onnxruntime")
_ACCEPTED = "onnx and onnxruntime, which read and run ONNX models"


def require_onnx() -> None:
    """Raise ConfigError, with what to do, unless onnx and onnxruntime can be imported."""
    for library in _LIBRARIES:
        try:
            import_module(library)
        except ModuleNotFoundError as error:
            hint = "Install them with: pip install 'panacea-sim[onnx]'"
            raise ConfigError("ONNX models", f"no module {error.name}", _ACCEPTED, hint) from error
        except Exception as error:  # one that does not fit numpy, protobuf or Python can raise anything
            hint = "Install them anew: pip install --force-reinstall 'panacea-sim[onnx]'"
            found = f"{library} that cannot be imported ({type(error).__name__}: {error})"
            raise ConfigError("ONNX models", found, _ACCEPTED, hint) from error
