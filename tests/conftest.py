"""Hypothesis profiles: `dev` for quick feedback, `ci` for the full count of cases, `mutants` for `make mutants`."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from stored_runs import RUNS

from panacea_sim.trace.stored_run import StoredRun

# Layer-sized numpy cases are slow by nature and the machine is noisy: deadlines would only measure noise.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("dev", max_examples=50, **_COMMON)
settings.register_profile("ci", max_examples=500, derandomize=True, print_blob=True, **_COMMON)
# A mutant is killed by the first failure: making it small would take the longest, and nobody reads it. Cases are the
# same every time, so that a mutant does not survive by chance.
settings.register_profile(
    "mutants", max_examples=50, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate), **_COMMON
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option with which the kept results in tests/golden are written anew."""
    parser.addoption("--regenerate", action="store_true", help="write the files in tests/golden anew")


@pytest.fixture(scope="session", params=RUNS)
def any_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """Return one of the kinds of runs that everything that reads runs must accept; it must not be changed."""
    if request.param == "compiled":
        pytest.importorskip("numba")
    return RUNS[request.param](tmp_path_factory.mktemp("any"))


@pytest.fixture(scope="session")
def full_run(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """Return a small run that was recorded whole; it must not be changed."""
    return RUNS["full"](tmp_path_factory.mktemp("full"))
