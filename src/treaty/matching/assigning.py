"""The best one-to-one assignment over a whole matrix of scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assign(scores: NDArray[np.float64]) -> list[int | None]:
    """Return for each row its column, so that the sum of the scores is greatest and no column is taken twice; None where none is above 0.

    The Hungarian method with potentials (Kuhn 1955, in the O(n³) form of Jonker and Volgenant): square, with rows and columns of 0 for
    "none". scipy has the same; it is not worth its 100 MB for 60 lines.
    """
    rows, columns = scores.shape
    size = rows + columns
    if not rows or not columns:
        return [None] * rows
    cost = np.zeros((rows, size))
    cost[:, :columns] = -scores
    by_column = _shortest_paths(cost)
    found: list[int | None] = [None] * rows
    for column, row in enumerate(by_column):
        if row >= 0 and column < columns and scores[row, column] > 0:
            found[row] = column
    return found


def _shortest_paths(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each column the row that takes it, or -1; there are at least as many columns as rows."""
    rows, columns = cost.shape
    by_row, by_column_price = np.zeros(rows), np.zeros(columns + 1)
    taken = np.full(columns + 1, -1, dtype=np.int64)  # the last column stands for the row that is being placed
    for row in range(rows):
        taken[columns] = row
        current = columns
        least = np.full(columns, np.inf)
        before = np.full(columns, columns, dtype=np.int64)
        used = np.zeros(columns + 1, dtype=bool)
        while taken[current] != -1:
            used[current] = True
            free = ~used[:columns]
            reduced = cost[taken[current]] - by_row[taken[current]] - by_column_price[:columns]
            better = free & (reduced < least)
            least[better] = reduced[better]
            before[better] = current
            step = least[free].min()
            nearest = np.flatnonzero(free & (least <= step))
            following = int(nearest[np.argmax(taken[nearest] == -1)])  # of equal ones one that nobody has: the way ends there
            by_row[taken[used]] += step
            by_column_price[used] -= step
            least[free] -= step
            current = following
        while current != columns:
            taken[current] = taken[before[current]]
            current = int(before[current])
    return taken[:columns]
