"""Light and dark: the colours of pages besides those of states, which are the same in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["DARK", "LIGHT", "PATH_CURVES", "Theme", "class_curves", "colour_variables", "theme_css", "themes"]


@dataclass(frozen=True)
class Theme:
    """The colours of a page; `curves`, `channels` and `layers` are taken in turn."""

    paper: str
    ink: str
    muted: str
    line: str
    grid: str
    note: str
    wrong: str
    layers: tuple[str, ...]
    curves: tuple[str, ...]
    channels: tuple[str, ...]


LIGHT = Theme(
    paper="#ffffff",
    ink="#222222",
    muted="#555555",
    line="#cccccc",
    grid="#e8e8e8",
    note="#fff4d6",
    wrong="#fde5dc",
    layers=("#cfe3f1", "#f3e3c3"),
    curves=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#666666"),
    channels=("#0072b2", "#56b4e9", "#444444", "#aaaaaa"),
)

DARK = Theme(
    paper="#16181c",
    ink="#e4e6ea",
    muted="#a9afb8",
    line="#565c66",
    grid="#2c3037",
    note="#3b3117",
    wrong="#472519",
    layers=("#24465e", "#574a26"),
    # The same hues, lighter where the dark ground would swallow them.
    curves=("#56b4e9", "#f07f33", "#1fc598", "#e19cc3", "#9bd3f5", "#f2b632", "#ffffff", "#a8a8a8"),
    channels=("#3f97d3", "#9bd3f5", "#7d7d7d", "#d0d0d0"),
)


def themes() -> dict[str, dict[str, Any]]:
    """Return both themes for a script of a page."""
    return {"light": asdict(LIGHT), "dark": asdict(DARK)}


def theme_css() -> str:
    """Return the colours as variables of CSS: dark on a screen whose reader prefers it, light on all others and paper.

    Printers keep colours of backgrounds, which otherwise a browser leaves out.
    """
    exact = "print-color-adjust: exact; -webkit-print-color-adjust: exact;"
    return (
        f":root {{ color-scheme: light; {exact} {_variables(LIGHT)} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ color-scheme: dark; {_variables(DARK)} }} }}"
    )


def _variables(theme: Theme) -> str:
    single = {name: colour for name, colour in asdict(theme).items() if isinstance(colour, str)}
    for name, colours in (("curve", theme.curves), ("layer", theme.layers)):
        single |= {f"{name}-{number}": colour for number, colour in enumerate(colours)}
    return " ".join(f"--{name}: {colour};" for name, colour in single.items())


def colour_variables() -> dict[str, str]:
    """Return for colours of the light theme the variable of CSS that stands for each in `theme_css`."""
    found = {colour: f"var(--curve-{number})" for number, colour in enumerate(LIGHT.curves)}
    found |= {colour: f"var(--layer-{number})" for number, colour in enumerate(LIGHT.layers)}
    return found | {getattr(LIGHT, name): f"var(--{name})" for name in ("paper", "ink", "muted", "line", "grid")}


_CLASS_CURVES = {"bandwidth": 0, "latency": 4, "refresh": 3, "row and turnaround": 6}
_COMPUTE_CURVES = (2, 5, 1)
_OTHER_CURVE = 7


def class_curves(classes: Sequence[str]) -> dict[str, int]:
    """Return which of the `curves` stands for each class of the critical path.

    What computes takes its colours in the order in which it comes; what comes late shares the last one.
    """
    computing = [name for name in classes if name not in _CLASS_CURVES]
    taken = dict(zip(computing, _COMPUTE_CURVES, strict=False))
    return {name: _CLASS_CURVES.get(name, taken.get(name, _OTHER_CURVE)) for name in classes}


PATH_CURVES = {"service": 2, "transfer": 0, "device": 3, "latency": 4}
"""Which of the `curves` stands for each kind of stretch of the critical path: that of the class, where it has one."""
