"""What can go wrong here, each with a text for the person who has to act on it."""

from __future__ import annotations


class ProofError(Exception):
    """Base of every error that this package raises on purpose."""


class OpeningError(ProofError):
    """An opening that is not exactly what the profile and the samples demand."""


class ProofFileError(ProofError):
    """A proof or openings file that is missing, truncated, corrupt or of another version."""


class EngineUnavailable(ProofError):
    """The engine asked for cannot run on this machine; the text says why and what can."""


class DeviceLost(ProofError):
    """The accelerator failed, overheated or vanished in mid-proof: there is no commitment."""


class NotEnoughMemory(ProofError):
    """The profile needs more memory than the device has; the text says how much."""
