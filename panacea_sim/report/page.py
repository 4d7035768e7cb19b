"""A run as one HTML page that needs no other file and no network."""

from __future__ import annotations

import base64
import importlib
import importlib.util
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from panacea_sim.analysis.longest_stalls import longest_stalls
from panacea_sim.report.palette import STATE_COLOURS
from panacea_sim.report.picture import save_figure
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun

__all__ = ["report_page"]
