"""The chain ladder: what is still to come of a reporting triangle, by development factors. A rival that nowcasts are held against.

Source: England & Verrall (2002), British Actuarial Journal 8, for the factors and the over-dispersed Poisson law.
"""

import numpy as np

from bayestwin.nowcast.triangle import Triangle


def completed(known: Triangle) -> np.ndarray:
    """Counts (time, delay, series) of a triangle filled by development factors: each delay's reports in proportion to all before it.

    Event periods whose first reports are not known cannot be developed and count as empty.
    """
    whole = known.seen & known.seen[:, :1]
    counts = np.where(whole, known.counts, 0.0)
    filled = counts.copy()
    for delay in range(1, counts.shape[1]):
        seen = whole[:, delay]
        earlier = filled[:, :delay].sum(1)
        base = np.where(seen, earlier, 0.0).sum(0)
        factor = np.where(seen, counts[:, delay], 0.0).sum(0) / np.maximum(base, 1.0)
        filled[:, delay] = np.where(seen, counts[:, delay], factor * earlier)
    return filled


def ladder(known: Triangle) -> tuple[np.ndarray, np.ndarray]:
    """Expected reports to come (time, series) by development factors, and the series' over-dispersion."""
    filled = np.maximum(completed(known), 0.0)
    total = filled.sum(1, keepdims=True)
    share = filled.sum(0) / np.maximum(filled.sum((0, 1)), 1.0)
    fitted = np.maximum(total * share, 1e-3)
    squares = np.where(known.seen, (known.counts - fitted) ** 2 / fitted, 0.0).sum((0, 1))
    free = known.seen.sum((0, 1)) - known.counts.shape[0] - known.counts.shape[1]
    return np.where(known.seen, 0.0, filled).sum(1), np.maximum(squares / np.maximum(free, 1), 1.0)
