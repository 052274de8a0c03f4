"""What a renter needs to be in order, looked at one by one: `assay doctor`."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from assay.chain.contracts.seats import SeatDirectory
from assay.chain.deployment import Deployment
from assay.chain.errors import ChainError
from assay.chain.key_files import address_in
from assay.chain.rpc.client import Chain
from assay.network.addresses import private_allowed
from assay.network.client import Client
from assay.renter.errors import RenterError
from assay.renter.http_client import HttpClient
from assay.renter.market.market_client import MarketClient
from assay.renter.market.search import Wanted
from assay.renter.money.amounts import amount_text
from assay.renter.renter import Renter
from assay.renter.settings import RenterSettings

OLD_BLOCK_S = 120


@dataclass(frozen=True)
class HealthFinding:
    """One look. `ok` None is a remark: it may be meant so."""

    name: str
    ok: bool | None
    detail: str


async def examine(settings: RenterSettings) -> list[HealthFinding]:
    """All findings, in an order in which each makes the next possible; what follows a failure may be left out."""
    found = [_programs(), _folder(settings)]
    try:
        deployment = Deployment.load(settings.deployment)
    except ChainError as error:
        return [*found, HealthFinding("deployment", False, f"{error}; name it with --deployment or a context")]
    found.append(HealthFinding("deployment", True, f"{settings.deployment}: chain {deployment.chain_id}"))
    reading = settings.model_copy(update={"key_file": None, "market": None})
    try:
        async with Renter.connect(reading) as renter:
            found.append(await _chain(renter.chain))
            found += await asyncio.gather(
                _looked("validators", lambda: _validators(renter.chain)),
                _looked("devices", lambda: _devices(renter)),
                _looked("market", lambda: _market(settings, renter.chain)),
            )
    except ChainError as error:
        found.append(HealthFinding("chain", False, f"{error}; name another with --rpc"))
    return [*found, await _wallet(settings)]


def _programs() -> HealthFinding:
    missing = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None]
    if missing:
        return HealthFinding("programs", False, f"{' and '.join(missing)} missing: install OpenSSH's client for shells")
    return HealthFinding("programs", True, "ssh, ssh-keygen")


def _folder(settings: RenterSettings) -> HealthFinding:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.data_dir):
            pass
    except OSError as error:
        return HealthFinding("data folder", False, f"{settings.data_dir}: cannot be written ({error.strerror})")
    return HealthFinding("data folder", True, str(settings.data_dir))


async def _chain(chain: Chain) -> HealthFinding:
    head = await chain.head()
    age = int(time.time()) - head.timestamp
    if age > OLD_BLOCK_S:
        return HealthFinding(
            "chain", False, f"block {head.number} is {age} s old: the node is behind, or the clock here is off"
        )
    return HealthFinding("chain", True, f"block {head.number}, {age} s old")


async def _looked(name: str, look: Callable[[], Awaitable[HealthFinding]]) -> HealthFinding:
    try:
        return await look()
    except (RenterError, ChainError) as error:
        return HealthFinding(name, False, str(error))


async def _validators(chain: Chain) -> HealthFinding:
    seats = await SeatDirectory(chain).current()
    named = sum(1 for seat in seats if seat.endpoint)
    return HealthFinding("validators", named > 0, f"{len(seats)} seats, {named} announce an address")


async def _devices(renter: Renter) -> HealthFinding:
    found = await renter.search(Wanted())
    return HealthFinding("devices", bool(found) or None, f"{len(found)} measured devices on offer answer from here")


async def _market(settings: RenterSettings, chain: Chain) -> HealthFinding:
    if settings.market is None:
        return HealthFinding("market", None, "none named: searches ask validators and providers themselves")
    http = HttpClient(Client.over_network(allow_private=private_allowed(chain.chain_id, settings.allow_private)))
    try:
        at = await MarketClient(http, settings.market).status()
    finally:
        await http.close()
    if at.get("chainId") != chain.chain_id:
        return HealthFinding(
            "market", False, f"{settings.market} follows chain {at.get('chainId')}, not {chain.chain_id}"
        )
    return HealthFinding("market", True, f"{settings.market}: block {at.get('block')}, {at.get('lagSeconds')} s behind")


async def _wallet(settings: RenterSettings) -> HealthFinding:
    if settings.key_file is None:
        return HealthFinding("wallet", None, "none named: enough to search; make one with `assay wallet --create FILE`")
    try:
        address = address_in(settings.key_file)
        async with Renter.connect(settings) as renter:
            held = await renter.holdings([renter.chain.deployment.address("NetworkToken")])
    except (ChainError, RenterError) as error:
        return HealthFinding("wallet", False, str(error))
    shown = ", ".join(f"{amount_text(amount, decimals)} {symbol}" for symbol, (amount, decimals) in held.items())
    return HealthFinding(
        "wallet", held["coin"][0] > 0, f"{address}: {shown}" + ("" if held["coin"][0] else ": no coin for gas")
    )
