"""Which rows a device has to open, once ρ is known."""

from __future__ import annotations

import secrets

from assay.protocol.keccak import keccak
from assay.protocol.profile import Profile
from assay.protocol.types import DeviceId, Rho

SECRET_ROWS = 16


def samples(rho: Rho, device_id: DeviceId, profile: Profile, k: int | None = None) -> list[tuple[int, int]]:
    """The k sampled rows (t, i) in order of q; duplicates are kept.

    Args:
        rho: 32 bytes drawn after the seal.
        device_id: 32 bytes.
        profile: gives T, M and, unless overridden, k.
        k: number of samples in place of the profile's own.
    """
    count = profile.k if k is None else k
    prefix = rho + b"q" + device_id
    rows = profile.T * profile.M
    drawn = (int.from_bytes(keccak(prefix + q.to_bytes(4, "big")), "big") % rows for q in range(count))
    return [divmod(index, profile.M) for index in drawn]


def secret_samples(profile: Profile, count: int = SECRET_ROWS) -> list[tuple[int, int]]:
    """Rows of a validator's own secret choice, which no chooser of ρ can foresee."""
    return [divmod(secrets.randbelow(profile.T * profile.M), profile.M) for _ in range(count)]
