"""The chain ladder: what is still to come of a reporting triangle, by development factors. A rival that nowcasts are held against.

Source: England & Verrall (2002), British Actuarial Journal 8, for the factors and the over-dispersed Poisson law; that factors are estimated is not in its width.
"""

import numpy as np
from jaxtyping import Bool, Float

Cells = Float[np.ndarray, "time delay series"]


def completed(counts: Cells, seen: Bool[np.ndarray, "time delay series"]) -> Cells:
    """Counts of a triangle filled by development factors: each delay's reports in proportion to all before it.

    Event periods whose first reports are not known cannot be developed and count as empty.

    Example:
        >>> counts = np.array([[8, 4], [6, 0]])[..., None]
        >>> completed(counts, np.array([[True, True], [True, False]])[..., None])[1, :, 0].tolist()
        [6.0, 3.0]
    """
    whole = seen & seen[:, :1]
    known = np.where(whole, counts, 0.0)
    filled = known.copy()
    for delay in range(1, known.shape[1]):
        there = whole[:, delay]
        earlier = filled[:, :delay].sum(1)
        base = np.where(there, earlier, 0.0).sum(0)
        factor = known[:, delay].sum(0) / np.maximum(base, 1.0)
        filled[:, delay] = np.where(there, known[:, delay], factor * earlier)
    return filled


def ladder(
    counts: Cells, seen: Bool[np.ndarray, "time delay series"]
) -> tuple[Float[np.ndarray, "time series"], Float[np.ndarray, " series"]]:
    """Expected reports to come by development factors, and the series' over-dispersion.

    Args:
        counts: reports; anything where not seen.
        seen: which cells are known.
    """
    filled = np.maximum(completed(counts, seen), 0.0)
    whole = seen & seen[:, :1]
    total = filled.sum(1, keepdims=True)
    share = filled.sum(0) / np.maximum(filled.sum((0, 1)), 1.0)
    fitted = np.maximum(total * share, 1e-3)
    squares = np.where(whole, (counts - fitted) ** 2 / fitted, 0.0).sum((0, 1))
    free = whole.sum((0, 1)) - whole.any(1).sum(0) - whole.any(0).sum(0) + 1
    return np.where(seen, 0.0, filled).sum(1), np.maximum(squares / np.maximum(free, 1), 1.0)
