"""How likely a wrong product is caught."""

from __future__ import annotations

SECRET_ROWS = 16  # that each validator asks for beside those ρ draws
PROJECTION_ERROR = 9 / 2**64  # a wrong row that the random projection does not see


def passes(wrong_share: float, samples: int, secret_rows: int = 0) -> float:
    """Bound on the chance that a device with this share of wrong rows passes: (1−g)^k + k·9/2^64."""
    rows = samples + secret_rows
    return min(1.0, (1 - wrong_share) ** rows + rows * PROJECTION_ERROR)


def passes_after_tries(wrong_share: float, samples: int, tries: float) -> float:
    """The same where the chooser of ρ's block may try again and again: at most G·(1−g)^k."""
    return min(1.0, tries * passes(wrong_share, samples))
