"""Print the lowest versions that pyproject.toml declares as constraints for pip, with the pins of the test tools."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = ("cluster", "compiled", "onnx", "optimize")
TOOLS = ("hypothesis", "pytest", "pytest-timeout")


def main() -> None:
    """Print a line for each direct dependency; pip chooses what these need in turn."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [each for name in EXTRAS for each in project["optional-dependencies"][name]]
    for requirement in [*project["dependencies"], *extras]:
        found = re.match(r"([\w.-]+)>=([\w.]+)", requirement)
        if found is None:
            raise SystemExit(f"pyproject.toml: {requirement!r} has no lower bound of the form NAME>=VERSION")
        print(f"{found[1]}=={found[2]}")
    for pin in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if pin.partition("==")[0] in TOOLS:
            print(pin)


if __name__ == "__main__":
    main()
