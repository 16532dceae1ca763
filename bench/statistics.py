"""What a handful of runs says: median with its range, and percentiles of many samples."""

import math
from collections.abc import Sequence
from statistics import median


def spread(values: Sequence[float], digits: int = 2) -> str:
    """`median [min - max] (n)`, the way every table here quotes a figure."""
    return f"{median(values):,.{digits}f} [{min(values):,.{digits}f} - {max(values):,.{digits}f}] (n={len(values)})"


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` % of the samples do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
