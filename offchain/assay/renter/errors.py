"""What can go wrong for a renter, each with the exit status that the command line gives it."""

from __future__ import annotations


class RenterError(Exception):
    """Something that the renter asked for cannot be done; the text says what and why."""

    exit_status = 1


class BadInput(RenterError):
    """A value off its rules."""

    exit_status = 2


class NoDevice(RenterError):
    """No device answers to what was asked for."""

    exit_status = 3


class ProofRejected(RenterError):
    """A proof is not what it must be; of a handover: no money has flowed, none should."""

    exit_status = 4


class ProviderRefused(RenterError):
    """The provider answered with a refusal; `status` is the HTTP status."""

    exit_status = 5

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(f"the provider refused ({status}): {reason}")


class Unreachable(RenterError):
    """A provider or validator did not answer, or not in the form it must."""

    exit_status = 6


class RenterDeclined(RenterError):
    """The person at the terminal said no."""

    exit_status = 7


class NoJob(RenterError):
    """The lease has no such job."""

    exit_status = 3


class MarketWrong(RenterError):
    """What a market says does not hold against the chain."""

    exit_status = 4


class LeaseShort(RenterError):
    """What was measured inside a lease is less than its sheet says."""

    exit_status = 4


class NotProven(RenterError):
    """A pod cannot prove its cards: its image lacks something, or it gave up before it was asked for the work."""

    exit_status = 6


class NotKept(RenterError):
    """A backup was not made, or not restored."""

    exit_status = 6


class MoveFailed(RenterError):
    """A lease was not moved; the text says which lease runs, and what is left to do."""

    exit_status = 6


class NotInOrder(RenterError):
    """Something that renting needs is missing."""

    exit_status = 1
