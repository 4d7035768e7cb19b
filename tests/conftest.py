"""Hypothesis profiles: `dev` for quick feedback, `ci` for the full count of cases."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Layer-sized numpy cases are slow by nature and the machine is noisy: deadlines would only measure noise.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("dev", max_examples=50, **_COMMON)
settings.register_profile("ci", max_examples=500, derandomize=True, print_blob=True, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option with which the kept results in tests/golden are written anew."""
    parser.addoption("--regenerate", action="store_true", help="write the files in tests/golden anew")
