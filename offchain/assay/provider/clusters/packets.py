"""Packets of a cluster: told apart in a stream of bytes, and let through only between the two pods of a link. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

HEADER = 20
MAX_PACKET = 0xFFFF


class BadFrame(ValueError):
    """What is no packet where one must be."""


def framed(packet: bytes) -> bytes:
    """A packet as it stands in a stream: its length in two bytes before it."""
    return len(packet).to_bytes(2, "big") + packet


class Frames:
    """Packets out of pieces of a stream."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The packets that are whole with this piece. Raises BadFrame for what is too short to be one."""
        held = self._rest + piece if self._rest else piece
        at = 0
        while len(held) - at >= 2:
            size = int.from_bytes(held[at : at + 2], "big")
            if size < HEADER:
                raise BadFrame(f"a packet of {size} bytes")
            if len(held) - at - 2 < size:
                break
            yield held[at + 2 : at + 2 + size]
            at += 2 + size
        self._rest = held[at:]


class Paths:
    """Who is where: `own` is the pod's address, `others` those of the cluster's other pods by rank."""

    def __init__(self, own: str, others: dict[int, str]) -> None:
        self._own = IPv4Address(own).packed
        self._of_rank = {rank: IPv4Address(address).packed for rank, address in others.items()}
        self._rank_of = {address: rank for rank, address in self._of_rank.items()}

    def leads_to(self, packet: bytes) -> int | None:
        """The rank that a packet of the pod's goes to; None for what goes to nobody, or is not the pod's own."""
        if len(packet) < HEADER or packet[0] >> 4 != 4 or packet[12:16] != self._own:
            return None
        return self._rank_of.get(packet[16:20])

    def may_come(self, packet: bytes, rank: int) -> bool:
        """Whether a packet from a member may enter the pod: from its own address, to the pod's."""
        return packet[0] >> 4 == 4 and packet[12:16] == self._of_rank.get(rank) and packet[16:20] == self._own
