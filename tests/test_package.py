"""The package itself: the names that scripts import from it."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import panacea_sim
from panacea_sim import running


@pytest.mark.parametrize("name", panacea_sim.__all__)
def test_names_are_there(name: str) -> None:
    """Each name resolves to something documented of that name."""
    found = getattr(panacea_sim, name)
    assert found.__name__ == name
    assert len(inspect.getdoc(found) or "") > 20


def test_all_names_are_listed() -> None:
    """dir() lists every name, used or not."""
    asked = "import panacea_sim; assert not set(panacea_sim.__all__) - set(dir(panacea_sim))"
    subprocess.run([sys.executable, "-c", asked], check=True)
    assert list(panacea_sim.__all__) == sorted(panacea_sim.__all__)


def test_an_unknown_name_is_refused() -> None:
    """What is not there is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="module 'panacea_sim' has no attribute 'Scenarios'"):
        panacea_sim.Scenarios  # type: ignore[attr-defined]  # noqa: B018  # what is tested


def test_run_is_the_function() -> None:
    """`run` is what runs a scenario, whatever rooms have been imported before."""
    assert inspect.ismodule(running)
    assert panacea_sim.run is running.run.run


def test_the_package_alone_costs_nothing() -> None:
    """Importing the package imports no library."""
    asked = "import sys; before = set(sys.modules); import panacea_sim; print(*set(sys.modules) - before)"
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert set(found.split()) == {"panacea_sim", "panacea_sim.version"}
