"""The zoo: sizes of every model against kept figures, and what its layers need of each other."""

from __future__ import annotations
