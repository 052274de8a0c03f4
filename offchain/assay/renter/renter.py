"""One renter: a wallet, a view of the market, and its leases. Everything the command line does goes through
here.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from assay.chain.client import Chain, ContractCall
from assay.chain.deployment import Deployment
from assay.chain.devices import Device, DeviceDirectory, DeviceStatus
from assay.chain.epochs import read_epoch_state
from assay.chain.erc20 import Erc20
from assay.chain.errors import ChainError
from assay.chain.events import read_events
from assay.chain.key_files import Key, load, password
from assay.chain.leases import Lease, LeaseStatus, read_lease
from assay.chain.profiles import read_profile
from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32, to_hex
from assay.protocol.messages import LeaseStart
from assay.renter.errors import BadInput, NoDevice, ProofRejected, ProviderRefused, Unreachable
from assay.renter.handover import Expected, check_opening, check_signed, opening_length, signed_handover
from assay.renter.http_client import HttpClient
from assay.renter.lease_files import LeaseFile, LeaseFiles
from assay.renter.liveness import is_alive
from assay.renter.measurements import Measurements
from assay.renter.offers import Offers, SignedOffer
from assay.renter.provider_session import ProviderSession
from assay.renter.search import Listing, Order, Wanted, listings, matches, ordered
from assay.renter.settings import RenterSettings
from assay.renter.wallet import ESCROW, Done, Wallet, open_call
from assay.renter.wallet_opener import WalletOpener

FINAL_POLL_S = 0.3
NO_WALLET = "this needs a wallet: name its key file with --key-file or ASSAY_KEY_FILE"
START_VALID_S = 600
HANDOVER_TIMEOUT_S = 120.0
FRESH_EPOCHS = 2  # a handover on an older epoch's seed is refused: its work could be old


@dataclass(frozen=True)
class HandoverResult:
    """A handover proof that convinced. Times in milliseconds, as measured from here."""

    lease_id: int
    result_root: bytes
    epoch: int
    proof_ms: float
    verify_ms: float
    score_gops: int


class Renter:
    """Use `Renter.connect`. Without a key file it can search, but not lease."""

    def __init__(
        self,
        chain: Chain,
        http: HttpClient,
        key: Key | None,
        wallet: WalletOpener | None,
        files: LeaseFiles,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.chain = chain
        self._http = http
        self._key = key
        self._wallet = wallet
        self._files = files
        self._clock = clock
        self._sleep = sleep
        self._directory = DeviceDirectory(chain)
        self._measurements = Measurements(chain, http)
        self._offers = Offers(http, chain.domain(ESCROW))

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: RenterSettings) -> AsyncIterator[Renter]:
        """Connects for the time of a `with` block. Raises ChainError, BadInput."""
        deployment = Deployment.load(settings.deployment)
        chain = await Chain.connect(settings.rpc, deployment, final_depth=settings.final_depth)
        http, key, wallet = HttpClient(), None, None
        try:
            if settings.key_file is not None:
                key = load(settings.key_file, password(settings.password_file))
                wallet = WalletOpener(chain, key, settings.folder, settings.poll_seconds)
            files = LeaseFiles(settings.folder, chain.chain_id, deployment.address(ESCROW))
            yield cls(chain, http, key, wallet, files)
        finally:
            if wallet is not None:
                wallet.close()
            await http.close()
            await chain.close()

    @property
    def address(self) -> str:
        """The wallet's address. Raises BadInput where no key file was named."""
        if self._key is None:
            raise BadInput(NO_WALLET)
        return self._key.address

    @property
    def wallet(self) -> Wallet:
        """The wallet, opened when it is first needed. Raises BadInput where no key file was named."""
        if self._wallet is None:
            raise BadInput(NO_WALLET)
        return self._wallet.wallet()

    async def search(self, wanted: Wanted, order: Order = Order.price) -> list[Listing]:
        """Devices that were measured, are on offer, and are what is wanted; best first."""
        devices = await self._directory.active()
        measured, offers = await asyncio.gather(self._measurements.latest(), self._offers.of_devices(devices.values()))
        decimals = await self._decimals({signed.offer.token for signed in offers.values()})
        found = listings(devices, measured, offers, decimals)
        return ordered((one for one in found if matches(one, wanted, self._clock())), order)

    async def listing(self, device_id: bytes) -> Listing:
        """One device's offer with its newest passing line. Raises NoDevice."""
        device = await self.device(device_id)
        measured, offers = await asyncio.gather(
            self._measurements.passing(device_id), self._offers.of_endpoint(device.endpoint)
        )
        for signed in offers:
            if signed.offer.device_id == device_id and signed.offer.provider == device.provider:
                token = signed.offer.token
                return Listing(device, measured, signed, await Erc20(self.chain, token).decimals())
        raise NoDevice(f"device 0x{device_id.hex()} is not on offer")

    async def quote(self, device: Device, seconds: int) -> SignedOffer:
        """An offer for this wallet alone. Raises ProviderRefused, Unreachable."""
        return await self._offers.quote(device, self.address, seconds)

    async def alive(self, device_id: bytes) -> bool:
        """Whether the device key signs a fresh nonce now."""
        device = (await self._directory.refresh()).get(device_id)
        return device is not None and await is_alive(self._http, device)

    async def own_leases(self) -> list[Lease]:
        """This wallet's leases, oldest first."""
        block = await self.chain.finalised()
        opened = await read_events(self.chain, ESCROW, ["LeaseOpened"], self.chain.deployment.block, block)
        mine = [e.args["leaseId"] for e in opened if e.args["renter"].lower() == self.address.lower()]
        return [await self.lease(lease_id) for lease_id in mine]

    async def device(self, device_id: bytes) -> Device:
        """An active device by its id. Raises NoDevice."""
        device = (await self._directory.refresh()).get(device_id)
        if device is None or device.status is not DeviceStatus.ACTIVE:
            state = "unknown" if device is None else device.status.name.lower()
            raise NoDevice(f"device 0x{device_id.hex()} is {state}")
        self._http.pin(device.endpoint, device.tls_fingerprint)
        return device

    async def open(self, listing: Listing, deposit: int, min_score: int = 0) -> tuple[Lease, list[Done]]:
        """Pays the deposit (base units) in and opens a pending lease; the device is not taken yet."""
        done = []
        if approval := await self.wallet.approve(listing.signed.offer.token, deposit):
            done.append(approval)
        call = open_call(listing.signed, deposit, listing.measured, min_score)
        done.append(await self.wallet.send(call))
        return await self.wallet.opened_lease(done[-1]), done

    async def handover(self, lease_id: int) -> HandoverResult:
        """Has the device prove itself for this lease and verifies it here. Raises ProofRejected, and then no
        money has flowed: cancel the lease to have it all back."""
        lease = await self.lease(lease_id)
        if lease.status is not LeaseStatus.PENDING:
            raise BadInput(f"lease {lease_id} is {lease.status.name.lower()}: a handover comes before its start")
        device = await self.device(lease.device_id)
        profile = await read_profile(self.chain, device.profile_id)
        kept = self._files.read(lease_id) or LeaseFile(lease_id, to_hex(secrets.token_bytes(32)))
        self._files.write(kept)
        session = self._session(device.endpoint, lease_id)
        x = parse_bytes32(kept.x, "x")
        known = Expected(lease_id, device, profile, b"", x)
        # The provider may follow final blocks that have not yet seen the lease.
        asked = time.monotonic()
        answer = await _while_unknown(lambda: session.handover(known.nonce, HANDOVER_TIMEOUT_S))
        proof_ms = (time.monotonic() - asked) * 1000
        epoch = await self._fresh_epoch(answer)
        expected = Expected(lease_id, device, profile, epoch[1], x)
        message, signature = signed_handover(answer)
        check_signed(message, signature, expected, self.chain.domain(ESCROW))
        opening = await session.handover_opening(x, opening_length(expected), HANDOVER_TIMEOUT_S)
        started = time.monotonic()
        await asyncio.to_thread(check_opening, message, opening, expected)
        verify_ms = (time.monotonic() - started) * 1000
        self._files.write(LeaseFile(lease_id, kept.x, to_hex(message.result_root)))
        score = profile.score_gops(max(int(proof_ms * 1000), 1))
        return HandoverResult(lease_id, message.result_root, epoch[0], proof_ms, verify_ms, score)

    async def start(self, lease_id: int) -> dict[str, Any]:
        """Signs the start, now that the handover convinced, and gives it to the provider to submit.

        Raises ProofRejected where no handover of this lease was verified here.
        """
        kept = self._files.read(lease_id)
        if kept is None or kept.verified_root is None:
            raise ProofRejected(f"no handover proof of lease {lease_id} was verified here")
        lease = await self.lease(lease_id)
        device = await self.device(lease.device_id)
        root = parse_bytes32(kept.verified_root, "resultRoot")
        message = LeaseStart(lease_id, root, int(self._clock()) + START_VALID_S)
        signature = self._sign(message)
        started = await self._session(device.endpoint, lease_id).start(root, message.valid_until, signature)
        await self._until_final(lease_id)
        return started

    async def _until_final(self, lease_id: int) -> None:
        """Waits until the lease is active at a final block: a provider runs jobs for no other.

        Raises Unreachable where that takes longer than the start was valid for.
        """
        deadline = self._clock() + START_VALID_S
        while self._clock() < deadline:
            block = await self.chain.finalised()
            lease = await read_lease(self.chain, lease_id, at=block)
            if lease.status is not LeaseStatus.PENDING and lease.status is not LeaseStatus.NONE:
                return
            await self._sleep(FINAL_POLL_S)
        raise Unreachable(f"the start of lease {lease_id} is not final after {START_VALID_S} s; try again later")

    async def lease(self, lease_id: int) -> Lease:
        """A lease as the escrow holds it in the latest block. Raises BadInput for an unknown number."""
        lease = await read_lease(self.chain, lease_id, at="latest")
        if lease.status is LeaseStatus.NONE:
            raise BadInput(f"there is no lease {lease_id}")
        return lease

    async def session(self, lease_id: int) -> ProviderSession:
        """Signed requests to the provider of a lease."""
        lease = await self.lease(lease_id)
        device = (await self._directory.refresh()).get(lease.device_id)
        if device is None or not device.endpoint:
            raise NoDevice(f"the device of lease {lease_id} announces no address")
        self._http.pin(device.endpoint, device.tls_fingerprint)
        return self._session(device.endpoint, lease_id)

    async def top_up(self, lease_id: int, amount: int) -> list[Done]:
        """Adds to the deposit, base units."""
        lease = await self.lease(lease_id)
        done = []
        if approval := await self.wallet.approve(lease.token, amount):
            done.append(approval)
        done.append(await self.wallet.send(ContractCall(ESCROW, "topUp", (lease_id, amount))))
        return done

    async def end(self, lease_id: int) -> Done:
        """Stops the stream now; a pending lease is cancelled."""
        pending = (await self.lease(lease_id)).status is LeaseStatus.PENDING
        return await self.wallet.send(ContractCall(ESCROW, "cancel" if pending else "end", (lease_id,)))

    async def refund(self, lease_id: int, receiver: str | None = None) -> tuple[int, Done]:
        """Collects what the escrow owes back; the amount in base units. Raises BadInput where nothing is due."""
        due = int(await self.chain.call(ESCROW, "refundable", lease_id, at="latest"))
        if due == 0:
            raise BadInput(f"nothing of lease {lease_id} is refundable now")
        call = ContractCall(ESCROW, "refund", (lease_id, receiver or self.wallet.address))
        return due, await self.wallet.send(call)

    async def streamed(self, lease_id: int) -> int:
        """What has streamed so far, base units."""
        return int(await self.chain.call(ESCROW, "streamed", lease_id, at="latest"))

    async def _fresh_epoch(self, answer: dict[str, Any]) -> tuple[int, bytes]:
        """The epoch that the provider proved in and its seed, both as the chain has them."""
        epoch = answer.get("epoch")
        current = int(await self.chain.call("EpochOracle", "currentEpoch", at="latest"))
        if isinstance(epoch, bool) or not isinstance(epoch, int) or not 0 <= current - epoch <= FRESH_EPOCHS:
            raise ProofRejected(f"the handover stands on epoch {str(epoch)[:20]}, the current one is {current}")
        state = await read_epoch_state(self.chain, epoch, "latest")
        if not state.opened_at:
            raise ProofRejected(f"the handover stands on epoch {epoch}, which was never opened")
        return epoch, state.epoch_seed

    async def _decimals(self, tokens: set[str]) -> dict[str, int]:
        """Decimals of tokens; one that is none is left out, and its offers with it."""
        known = {}
        for token in tokens:
            try:
                known[token] = await Erc20(self.chain, token).decimals()
            except (ChainError, HexadecimalError):
                continue
        return known

    def _session(self, endpoint: str, lease_id: int) -> ProviderSession:
        if self._key is None:
            raise BadInput(NO_WALLET)
        return ProviderSession(self._http, endpoint, lease_id, self._key, self.chain.domain(ESCROW), self._clock)

    def _sign(self, message: LeaseStart) -> bytes:
        if self._key is None:
            raise BadInput(NO_WALLET)
        return self._key.sign(message, self.chain.domain(ESCROW))


async def _while_unknown(ask: Callable[[], Any], patience_s: float = 60.0) -> Any:
    """Asks again while the provider does not know the lease yet, which it follows at final blocks only."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return await ask()
        except ProviderRefused as error:
            if error.status != 404 or time.monotonic() > until:
                raise
        await asyncio.sleep(0.25)
