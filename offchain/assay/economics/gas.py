"""Gas of whole transactions, measured on the contracts (`snapshots/gas.json`), or bounded where what they carry is."""

from __future__ import annotations

from assay.economics.parameters import ProfileMoney

COMMIT = 46_100
PROOF_SHORT = 307_200
PROOF_LONG = 2_000_000  # up to 65,536
SETTLE_AND_COLLECT = 150_000  # once the slash was held long enough
DEMAND = 280_200
ANSWER_ROW = 142_000  # the bytes of the row are on top
_BYTE, _MIN_A_BYTE, _LEAST = 16, 40, 25_000  # EIP-7623: calldata is paid for at the one rate or the other


def proof(profile: ProfileMoney) -> int:
    """Committing, revealing a wrong element of this profile, settling and collecting;
    between the measured lengths linear."""
    part = min(1.0, max(0.0, (profile.shape.K - 4_096) / (65_536 - 4_096)))
    return COMMIT + int(PROOF_SHORT + part * (PROOF_LONG - PROOF_SHORT)) + SETTLE_AND_COLLECT


def answer(profile: ProfileMoney) -> int:
    """Showing a row that was demanded."""
    row = 4 * profile.shape.N
    return max(ANSWER_ROW + _BYTE * row, _LEAST + _MIN_A_BYTE * row)
