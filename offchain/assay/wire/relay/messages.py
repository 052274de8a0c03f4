"""What a relay and the providers behind it say to each other: a JSON object a line, over the relay's own TLS.

The relay greets every connection with a nonce. The first line that comes back makes it a link (`LinkRequest`, answered
with `Granted` or `RelayRefusal`), or one stream of a link (`Accept`, after which only the stream's bytes follow).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from assay.protocol.messages import RelayLink
from assay.wire.canonical import encode
from assay.wire.fields import Address, Bytes32, Signature, Wire

MAX_LINE = 2_048  # bytes
MAX_PORTS = 2  # of one link: the provider's API, and its SSH server
MAX_REASON = 300  # characters
Port = Annotated[int, Field(ge=1, le=65_535, strict=True)]


class Greeting(Wire):
    """The relay's first line on every connection; the nonce is fresh for each."""

    kind: Literal["greeting"] = "greeting"
    nonce: Bytes32


class LinkRequest(Wire):
    """A device wants so many public ports. The signature of its key is over `message`."""

    kind: Literal["link"] = "link"
    provider: Address
    ports: Annotated[int, Field(ge=1, le=MAX_PORTS, strict=True)]
    signature: Signature

    def message(self, relay: bytes, nonce: bytes) -> RelayLink:
        """What must have been signed at the relay with this H of its certificate, over its nonce."""
        return RelayLink(self.provider, relay, nonce)


class Accept(Wire):
    """The provider takes the stream that was announced with this token."""

    kind: Literal["accept"] = "accept"
    token: Bytes32


class Granted(Wire):
    """The relay's public ports that lead to the link from now on, in the order of the provider's own. A side that hears
    nothing for three times `ping_seconds` gives the link up."""

    kind: Literal["granted"] = "granted"
    ports: Annotated[tuple[Port, ...], Field(min_length=1, max_length=MAX_PORTS)]
    ping_seconds: Annotated[int, Field(ge=1, le=600, strict=True)]


class RelayRefusal(Wire):
    """Why there is no link."""

    kind: Literal["refused"] = "refused"
    reason: Annotated[str, Field(max_length=MAX_REASON)]


class Dial(Wire):
    """Somebody has connected to the link's port with this index: whoever shows the token in time gets the stream.
    `source` is the address that the relay saw."""

    kind: Literal["dial"] = "dial"
    token: Bytes32
    port: Annotated[int, Field(ge=0, lt=MAX_PORTS, strict=True)]
    source: Annotated[str, Field(max_length=64)]


class Ping(Wire):
    """The relay's sign of life on a link."""

    kind: Literal["ping"] = "ping"


class Pong(Wire):
    """The provider's answer to it."""

    kind: Literal["pong"] = "pong"


_KIND = Field(discriminator="kind")
_FIRST: TypeAdapter[LinkRequest | Accept] = TypeAdapter(Annotated[LinkRequest | Accept, _KIND])
_ANSWER: TypeAdapter[Granted | RelayRefusal] = TypeAdapter(Annotated[Granted | RelayRefusal, _KIND])
_ORDER: TypeAdapter[Dial | Ping] = TypeAdapter(Annotated[Dial | Ping, _KIND])


def line(message: Wire) -> bytes:
    """A message as it travels."""
    return encode(message.to_json()) + b"\n"


def first_line(text: bytes) -> LinkRequest | Accept:
    """What a provider's connection begins with. Raises ValueError."""
    return _FIRST.validate_json(text)


def answer_line(text: bytes) -> Granted | RelayRefusal:
    """What comes of a request for a link. Raises ValueError."""
    return _ANSWER.validate_json(text)


def order_line(text: bytes) -> Dial | Ping:
    """What the relay says on a link. Raises ValueError."""
    return _ORDER.validate_json(text)
