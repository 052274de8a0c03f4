"""Why a request went nowhere, in words that are safe to show."""

from __future__ import annotations


class NetworkError(Exception):
    """Base of everything that the client raises."""


class BadOrigin(NetworkError):
    """An announced endpoint that is no origin. `value` is what was announced, `reason` the rule it breaks."""

    def __init__(self, value: object, reason: str) -> None:
        self.value, self.reason = value, reason
        super().__init__(f"{ascii(value)[:120]}: {reason}")


class RefusedAddress(NetworkError):
    """A host that is, or resolves to, an address that strangers may not send us to."""

    def __init__(self, host: str, address: str) -> None:
        self.host, self.address = host, address
        super().__init__(f"{host}: {address} is not a public address")


class RequestFailed(NetworkError):
    """No answer, or none that could be read to its end within its limits."""


class Silence(RequestFailed):
    """An answer that began, and then said nothing for longer than silence was allowed."""


class ListenFailed(NetworkError):
    """An address that cannot be listened on: it is taken, or not this machine's."""
