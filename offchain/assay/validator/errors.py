"""What can go wrong in a validator, in words for its operator."""

from __future__ import annotations


class ValidatorError(Exception):
    """Base of the validator's errors; the text is safe to show."""


class DeviceFailure(ValidatorError):
    """A device gave no usable answer."""


class PeerFailure(ValidatorError):
    """A seat's daemon gave no usable answer."""


class Refused(ValidatorError):
    """A message was not taken. `status` is that of the HTTP answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class SettingsError(ValidatorError):
    """A setting that cannot be used: which, its value, and what to do."""

    exit_status = 2
