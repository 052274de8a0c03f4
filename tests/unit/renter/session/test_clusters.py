"""Pods of several leases made one cluster, with providers that answer what they like."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from assay.network.origins import Endpoint
from assay.renter.errors import BadInput, RenterError
from assay.renter.session import clusters
from assay.renter.session.clusters import join
from assay.wire.clusters import ClusterBody, ClusterShownBody, LinkState

KEY = "ssh-ed25519 AAAA"


class Session:
    """One lease's; `up` after so many looks."""

    def __init__(self, url: str, port: int | None = 22, up_after: int = 2, address: str | None = "10.213.0.2") -> None:
        self.endpoint = Endpoint(url)
        self.port, self.up_after, self.address = port, up_after, address
        self.joined: list[ClusterBody] = []
        self.looks = 0

    async def pod(self) -> Any:
        return SimpleNamespace(address=self.address)

    async def cluster(self) -> ClusterShownBody:
        self.looks += 1
        return self._shown()

    async def join(self, body: ClusterBody) -> ClusterShownBody:
        self.joined.append(body)
        return self._shown()

    def _shown(self) -> ClusterShownBody:
        if not self.joined:
            return ClusterShownBody(port=self.port, host_key=KEY, link_key=KEY)
        body = self.joined[-1]
        up = self.looks > self.up_after
        return ClusterShownBody(
            port=self.port, host_key=KEY, link_key=KEY, rank=body.rank,
            addresses=[f"10.214.0.{rank + 1}" for rank in range(len(body.members))],
            links=[LinkState(rank=1 - body.rank, up=up, reason="" if up else "refused")],
        )  # fmt: skip


def at(*sessions: Session) -> Any:
    return [(number + 7, session) for number, session in enumerate(sessions)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "LOOK_S", 0.0)


def test_join__of_pods_at_two_providers__tells_each_the_way_to_the_others() -> None:
    one, two = Session("http://11.22.33.44:8700"), Session("http://11.22.33.45:8700")
    told: list[str] = []
    made = asyncio.run(join(at(one, two), told.append))
    assert made.addresses == ("10.214.0.1", "10.214.0.2") and made.linked and told == ["the pods are linked"]
    assert [body.rank for body in one.joined + two.joined] == [0, 1]
    ways = [member.way for member in one.joined[0].members]
    assert [(way.host, way.port) for way in ways if way] == [("11.22.33.44", 22), ("11.22.33.45", 22)]


def test_join__of_pods_of_one_host__needs_no_way() -> None:
    one, two = Session("http://11.22.33.44:8700", None), Session("http://11.22.33.44:8700", None)
    asyncio.run(join(at(one, two), lambda _: None))
    assert [member.way for member in one.joined[0].members] == [None, None]


def test_join__that_comes_to_nothing__says_why() -> None:
    here = Session("http://11.22.33.44:8700")
    with pytest.raises(RenterError, match="lease 8 to 7: refused"):
        asyncio.run(join(at(here, Session("http://11.22.33.45:8700", up_after=10**9)), lambda _: None))
    with pytest.raises(RenterError, match="lease 8: its provider offers no SSH"):
        asyncio.run(join(at(here, Session("http://11.22.33.45:8700", port=None)), lambda _: None))
    with pytest.raises(RenterError, match="lease 8: its pod does not run"):
        asyncio.run(join(at(here, Session("http://11.22.33.45:8700", address=None)), lambda _: None))
    with pytest.raises(BadInput):
        asyncio.run(join(at(here), lambda _: None))
