"""The provider's application in process, without a socket, and a client of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from assay.chain.contracts.devices import Device as ChainDevice
from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.chain.rpc.blocks import Block
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.messages import LeaseRequest, Offer
from assay.protocol.sign_in import SignIn, personal_digest
from assay.protocol.signing import sign_compact
from assay.provider.access.announced_origins import AnnouncedOrigins
from assay.provider.access.authorised_keys import AuthorisedKeys
from assay.provider.access.logins import Logins
from assay.provider.access.notebooks import Notebooks
from assay.provider.access.request_signatures import RequestGuard
from assay.provider.api.app import create_app
from assay.provider.api.services import Services
from assay.provider.database import open_database
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import ProviderError
from assay.provider.leasing.lease_book import LeaseBook
from assay.provider.leasing.lease_starts import LeaseStarts
from assay.provider.leasing.wipe_records import WipeRecords
from assay.provider.offers.lease_offers import LeaseOffers
from assay.provider.runtime.workload import Limits, Runtime
from assay.provider.workloads.jobs import JobBook, Share

from .conftest import DEVICES, ESCROW, ORACLE, PROVIDER, ChainFake, key
from .lease_fakes import EscrowFake, RuntimeFake

NOW = 1_000_000
ROOTS = keccak(b"roots")


class Unused:
    """Stands in for a part that a test must not reach."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was reached")


@dataclass
class Api:
    """A client of the application, and what is behind it."""

    client: httpx2.AsyncClient
    jobs: JobBook
    chain: ChainFake
    runtime: RuntimeFake
    wipes: WipeRecords
    escrow: EscrowFake
    conditions: Conditions
    app: FastAPI

    async def signed(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        signer: str = "renter",
        at: int = NOW,
        lease_id: int = 3,
    ) -> httpx2.Response:
        whole = f"/v1/leases/3{path}"
        request = LeaseRequest(lease_id, f"{method} {whole}", keccak(body), at)
        headers = {
            "x-assay-signature": "0x" + request.sign(ESCROW, key(signer)).hex(),
            "x-assay-issued-at": str(at),
            "x-assay-body-hash": "0x" + keccak(body).hex(),
            "content-type": "application/json",
        }
        return await self.client.request(method, whole, content=body, headers=headers)

    async def job(self, **fields: Any) -> httpx2.Response:
        return await self.signed("POST", "/jobs", json.dumps({"command": ["true"], **fields}).encode())


@dataclass
class Conditions:
    """What is in the way of a start, and how often it was looked at."""

    obstacle: ProviderError | None = None
    looked: int = 0

    async def __call__(self, lease_id: int, offer: Offer) -> None:
        self.looked += 1
        if self.obstacle is not None:
            raise self.obstacle


class Handovers:
    """A desk that names what it was asked for; the roots of all devices together are ROOTS."""

    async def handover(self, lease: Lease, offer: Offer, device_id: bytes, nonce: bytes) -> str:
        return json.dumps({"deviceId": to_hex(device_id), "nonce": to_hex(nonce)})

    async def opening(self, lease: Lease, offer: Offer, device_id: bytes, x: bytes) -> bytes:
        return device_id + x

    def roots(self, lease: Lease, offer: Offer) -> bytes:
        return ROOTS


async def announced(*devices: bytes, endpoint: str = "http://provider") -> AnnouncedOrigins:
    """What the devices announce at a final block."""

    async def read(_: Block) -> dict[bytes, ChainDevice]:
        none = "0x" + "00" * 20
        return {one: ChainDevice(one, none, none, 1, bytes(32), endpoint=endpoint) for one in devices}

    origins = AnnouncedOrigins(devices, read)
    await origins.follow(Block(1, bytes(32), bytes(32), NOW, 1))
    return origins


def at_now() -> float:
    """The time of most tests."""
    return float(NOW)


@asynccontextmanager
async def serving(
    folder: Path,
    chain: ChainFake,
    device: OwnDevice,
    lease: Lease,
    disk_bytes: int = 10_000,
    clock: Callable[[], float] = at_now,
    jobs_run_by: Runtime | None = None,
    **others: Any,
) -> AsyncIterator[Api]:
    """The application over a device and a node; lease 3 runs. With `jobs_run_by` jobs run, by a clock that goes on, for
    ten minutes; `others` are services that most tests do without.
    """
    began, lasts = int(clock()), 600 if jobs_run_by else 100
    chain.leases[3] = replace(
        lease, status=LeaseStatus.ACTIVE, rate=10**18, start=began - 10, stop=began + lasts, devices=1
    )
    database, runtime = open_database(None), RuntimeFake()
    book = LeaseBook(database)

    def share(lease_id: int) -> Share:
        offer = book.offer(lease_id)
        return (
            Share()
            if offer is None
            else Share(len(offer.device_ids), tuple(f"gpu={one[:2].hex()}" for one in offer.device_ids))
        )

    jobs = JobBook(database, jobs_run_by or runtime, folder, Limits(disk_bytes=disk_bytes), clock, share=share)
    unused: Any = Unused()
    handovers: Any = Handovers()
    escrow, conditions = EscrowFake(), Conditions()
    services = Services(
        devices={one.device_id: one for one in (device, *DEVICES)},
        epochs=chain,
        leases=chain,
        challenges=unused,
        openings=unused,
        handovers=handovers,
        probes=unused,
        lease_offers=LeaseOffers(book, chain.read_offer, PROVIDER),
        starts=LeaseStarts(conditions, handovers.roots, escrow, ESCROW, chain.contract_accepts, clock),
        jobs=jobs,
        guard=RequestGuard(database, ESCROW, clock),
        ssh_keys=AuthorisedKeys(database),
        notebooks=Notebooks(database, jobs),
        wipes=WipeRecords(database, ESCROW, lambda digest: sign_compact(digest, key("provider"))),
        grace=900.0,
        proxy=unused,
        logins=Logins(31337, chain.contract_accepts, clock),
        origins=await announced(*(one.device_id for one in (device, *DEVICES))),
        offers=unused,
        quote=unused,
        started=lambda lease: book.note(lease.lease_id),
        oracle_domain=ORACLE,
        clock=clock,
        ready=lambda: True,
        status=lambda: {"provider": "p"},
        **others,
    )
    app = create_app(services)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://provider") as client:
        yield Api(client, jobs, chain, runtime, services.wipes, escrow, conditions, app)


CONTRACT = "0x" + "77" * 20


async def login_of_a_contract(api: Api, address: str, signature: bytes | None = None) -> httpx2.Response:
    nonce = (await api.client.get("/v1/login/nonce")).json()["nonce"]
    text = SignIn("provider", address, "http://provider", 31337, nonce, NOW, NOW + 600, 3).text()
    signed = signature if signature is not None else personal_digest(text) * 20
    return await api.client.post("/v1/leases/3/login", json={"message": text, "signature": "0x" + signed.hex()})
