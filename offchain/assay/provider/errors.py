"""What can go wrong at a provider, each with the status that its HTTP answer carries."""

from __future__ import annotations

from http import HTTPStatus


class ProviderError(Exception):
    """A request or a setting that cannot be honoured. The message is safe to show to the other side."""

    status: int = HTTPStatus.BAD_REQUEST


class BadProviderSetting(ProviderError):
    """A setting or an option off its rules: which, its value, and the rule."""

    exit_status = 2


class NotAuthorised(ProviderError):
    """The signature is missing, malformed, expired, replayed or somebody else's."""

    status = HTTPStatus.UNAUTHORIZED


class Forbidden(ProviderError):
    """The signer is known but has no right to this."""

    status = HTTPStatus.FORBIDDEN


class NotFound(ProviderError):
    """No such device, lease, job or file here."""

    status = HTTPStatus.NOT_FOUND


class Conflict(ProviderError):
    """The request contradicts what was already done or the state on the chain."""

    status = HTTPStatus.CONFLICT


class TooLarge(ProviderError):
    """A body, file or argument beyond its limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class TooManyRequests(ProviderError):
    """The asker has had its share for now."""

    status = HTTPStatus.TOO_MANY_REQUESTS


class Unavailable(ProviderError):
    """It cannot be served now; trying again later may help."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class RuntimeUnavailable(ProviderError):
    """The chosen runtime cannot run workloads on this machine."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
