"""What a renter asks so that pods of several hosts reach each other, over the HTTP interface and in process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.provider.devices.device import OwnDevice
from assay.wire.clusters import ClusterBody, ClusterShownBody
from tests.unit.provider.api_bench import NOW, Api, serving
from tests.unit.provider.conftest import RENTER, ChainFake

KEY = "ssh-ed25519 AAAA"
WAY = {"host": "11.22.33.44", "port": 22, "hostKey": KEY, "linkKey": KEY}


class Clusters:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.made: list[tuple[int, str, ClusterBody]] = []

    async def set(self, lease_id: int, renter: str, body: ClusterBody) -> None:
        self.made.append((lease_id, renter, body))

    def shown(self, lease_id: int, renter: str, port: int | None) -> ClusterShownBody:
        return ClusterShownBody(port=port, host_key=KEY, link_key=f"{KEY} {renter}")


@pytest.fixture
def clusters() -> Clusters:
    return Clusters()


@pytest.fixture
async def api(
    tmp_path: Path, chain: ChainFake, device: OwnDevice, lease: Lease, clusters: Clusters
) -> AsyncIterator[Api]:
    async with serving(tmp_path, chain, device, lease, clusters=clusters) as one:
        yield one


def members(*ways: object) -> list[dict[str, Any]]:
    return [{"leaseId": number + 3, "way": way} for number, way in enumerate(ways)]


async def put(api: Api, signer: str = "renter", **fields: Any) -> Any:
    return await api.signed("PUT", "/cluster", json.dumps(fields).encode(), signer=signer)


async def test_cluster__of_the_renter__is_made_and_shown(api: Api, clusters: Clusters) -> None:
    shown = await api.signed("GET", "/cluster")
    assert shown.status_code == 200 and ClusterShownBody.model_validate(shown.json()).link_key == f"{KEY} {RENTER}"
    assert (await put(api, rank=0, members=members(None, None))).status_code == 200
    ((lease_id, renter, body),) = clusters.made
    assert (lease_id, renter, [one.lease_id for one in body.members]) == (3, RENTER, [3, 4])


async def test_cluster__of_another_or_off_the_form_or_over__is_refused(api: Api, clusters: Clusters) -> None:
    assert (await put(api, signer="provider", rank=0, members=members(None, None))).status_code in (401, 403)
    assert (await api.signed("GET", "/cluster", signer="provider")).status_code in (401, 403)
    assert (await put(api, rank=0, members=members(None))).status_code == 422
    # Without an SSH server there is nothing to be linked by.
    refused = await put(api, rank=0, members=members(WAY, {**WAY, "host": "11.22.33.45"}))
    assert refused.status_code == 409 and "SSH" in refused.json()["error"]
    api.chain.leases[3] = replace(api.chain.leases[3], status=LeaseStatus.ENDED, stop=NOW - 10**6)
    assert (await put(api, rank=0, members=members(None, None))).status_code >= 400
    assert clusters.made == []


async def test_cluster__where_there_are_no_pods__is_refused(
    tmp_path: Path, chain: ChainFake, device: OwnDevice, lease: Lease
) -> None:
    async with serving(tmp_path, chain, device, lease) as api:
        for answer in (await api.signed("GET", "/cluster"), await put(api, rank=0, members=members(None, None))):
            assert answer.status_code == 409 and "without pods" in answer.json()["error"]
