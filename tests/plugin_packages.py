"""Packages with entry points for panacea_sim, installed for a test without pip."""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from panacea_sim import plugins

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "drained_array"


def install(folder: Path, package: str, entries: Mapping[str, Mapping[str, str]]) -> None:
    """Write what an installer leaves of a package: its name, and its entry points by their group."""
    info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in names.items())
        for group, names in entries.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


def install_example(folder: Path) -> None:
    """Install the example of the documentation."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name = project["name"].replace("-", "_")
    shutil.copytree(EXAMPLE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    install(folder, project["name"], project["entry-points"])


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Let Python find the packages in a folder, and forget them afterwards."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        plugins.plugins.cache_clear()
        yield
    plugins.plugins.cache_clear()
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]
