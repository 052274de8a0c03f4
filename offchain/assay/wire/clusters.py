"""Pods of one renter that are to reach each other, and how they stand."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from assay.wire.fields import Wire

MAX_MEMBERS = 8
MAX_KEY_LINE = 400


def _address(text: str) -> str:
    return str(IPv4Address(text))


def _key_line(text: str) -> str:
    if not text.isascii() or not text.isprintable() or len(text.split(" ")) < 2:
        raise ValueError("not a public key of one line")
    return text


Rank = Annotated[int, Field(ge=0, lt=MAX_MEMBERS)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Address = Annotated[str, Field(max_length=15), AfterValidator(_address)]
KeyLine = Annotated[str, Field(max_length=MAX_KEY_LINE), AfterValidator(_key_line)]


class WayBody(Wire):
    """Where a pod of another host is linked to: its provider's SSH server with its host key, and the key by which the
    lease's own provider shows itself there."""

    host: Address
    port: Port
    host_key: KeyLine
    link_key: KeyLine


class MemberBody(Wire):
    """One pod of a cluster, in the order of ranks. Without a way it is on the same host as all the others."""

    lease_id: Annotated[int, Field(ge=1)]
    way: WayBody | None = None


class ClusterBody(Wire):
    """All pods of a cluster, and which of them this lease's is."""

    rank: Rank
    members: Annotated[list[MemberBody], Field(min_length=2, max_length=MAX_MEMBERS)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.rank >= len(self.members):
            raise ValueError("a rank beyond the members")
        if len({one.way is None for one in self.members}) > 1:
            raise ValueError("a way to each member, or to none")
        places = {(one.lease_id, one.way and (one.way.host, one.way.port)) for one in self.members}
        if len(places) < len(self.members):
            raise ValueError("a member twice")
        return self


class LinkState(Wire):
    """Whether packets pass to a member; `reason` why they do not."""

    rank: Rank
    up: bool
    reason: Annotated[str, Field(max_length=400)] = ""


class ClusterShownBody(Wire):
    """What another provider has to know of a lease to link to its pod, and how its cluster stands: no `rank` where it
    has none."""

    port: Port | None = None
    host_key: KeyLine | None = None
    link_key: KeyLine
    rank: Rank | None = None
    addresses: Annotated[list[Address], Field(max_length=MAX_MEMBERS)] = Field(default_factory=list)
    links: Annotated[list[LinkState], Field(max_length=MAX_MEMBERS)] = Field(default_factory=list)
