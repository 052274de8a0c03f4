"""Why a signature was refused."""

from __future__ import annotations

from assay.chain.errors import ChainError


class SigningError(Exception):
    """Base of everything this package raises."""


class DoubleSign(SigningError):
    """Another statement was signed for the same epoch, set, round and seed, or a later
    round: this one is never signed."""


class SittingOut(SigningError):
    """The record cannot tell what was signed for this epoch, so nothing more is."""


class RecordInUse(SigningError):
    """A living process signs with this key already."""


class BadRecord(SigningError):
    """A record, or an export of one, that is damaged or belongs to another key or deployment."""


class SignerUnavailable(SigningError, ChainError):
    """A remote signer did not answer, or answered with something that is not the seat's signature."""
