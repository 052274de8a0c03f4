"""How sure a share of epochs passed is: integers, so that every index has the same bytes."""

from __future__ import annotations

from math import isqrt

BPS = 10_000
EPOCHS_OF_A_SLASH = 100  # a slash of its provider counts as so many epochs that a device failed
_SCALE = 10_000


def lower_bound_bps(passed: int, measured: int, slashes: int = 0) -> int:
    """The least share of epochs that a device passes, with 97.5 percent confidence (Wilson's lower bound at z = 1.96),
    in hundredths of a percent; 0 where nothing was measured.
    """
    n = measured + EPOCHS_OF_A_SLASH * slashes
    if n <= 0 or not 0 <= passed <= n:
        return 0
    spread = isqrt(passed * (n - passed) * _SCALE * _SCALE // n + 9_604 * _SCALE)  # z^2 / 4 = 0.9604
    above = passed * _SCALE + 19_208 - 196 * spread // 100  # z^2 / 2 = 1.9208
    return max(0, above * BPS // (n * _SCALE + 38_416))


def rank_rate(rate: int, gpus: int, low_bps: int, most: int) -> int:
    """Base units x 10^18 a second for one device that works, at most `most`, which is also that of what is not known
    to work at all.
    """
    return min(rate * BPS // (gpus * low_bps), most) if low_bps else most
