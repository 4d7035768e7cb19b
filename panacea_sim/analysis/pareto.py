"""The frontier of points that are judged by several figures: those that no other one beats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["unbeaten"]


def unbeaten(rows: Sequence[Sequence[float]], signs: Sequence[int]) -> list[int]:
    """Return which rows no other one beats, in order.

    Each row has a figure for each sign, which is 1 where less is better and -1 where more is. A row beats another one
    that is better in no figure and worse in at least one. Equal rows do not beat each other.
    """
    if not rows:
        return []
    places = np.stack([_places(column, sign) for column, sign in zip(zip(*rows, strict=True), signs, strict=True)], 1)
    front: list[int] = []
    kept = np.zeros((0, len(signs)), np.int64)
    # What beats a row is better in the first figure in which they differ, so that it comes before: only the front so
    # far can beat a row, because what beats a beaten row beats also what that one beats.
    for row in np.lexsort(places.T[::-1]).tolist():
        mine = places[row]
        if not ((kept <= mine).all(axis=1) & (kept < mine).any(axis=1)).any():
            front.append(row)
            kept = np.vstack([kept, mine])
    return sorted(front)


def _places(column: Sequence[float], sign: int) -> npt.NDArray[np.int64]:
    """Return the places of figures among each other, the best first and equal ones at one place.

    Figures are compared as Python's numbers: whole ones of any size stay exact.
    """
    order = {figure: place for place, figure in enumerate(sorted(set(column), reverse=sign < 0))}
    return np.array([order[figure] for figure in column], np.int64)
