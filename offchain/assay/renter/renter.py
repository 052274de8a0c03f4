"""One renter: a wallet, a view of the market, and its leases. Everything the command line does goes through here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

from assay.chain.client import Chain, ContractCall
from assay.chain.deployment import Deployment
from assay.chain.devices import Device
from assay.chain.erc20 import Erc20
from assay.chain.errors import ChainError
from assay.chain.events import read_events
from assay.chain.key_files import Key, load, password
from assay.chain.leases import Lease, LeaseStatus, read_lease
from assay.protocol.messages import LeaseStart
from assay.protocol.report_lines import Measured
from assay.renter.discovery import Discovery
from assay.renter.downtime import DowntimeFound, find_downtime
from assay.renter.errors import BadInput, NoDevice, RenterError
from assay.renter.http_client import HttpClient
from assay.renter.keeping import Hands, Move, Policy, keep
from assay.renter.lease_files import LeaseFiles
from assay.renter.lease_rights import require_endable, require_own, require_running
from assay.renter.lease_start import HandoverResult, LeaseStarter
from assay.renter.listing import Evidence, Listing
from assay.renter.liveness import is_alive
from assay.renter.market_client import MarketClient
from assay.renter.money import show_amount
from assay.renter.placement import spread
from assay.renter.planned import Planned, planned_call, planned_opening
from assay.renter.provider_session import ProviderSession
from assay.renter.rewards import RewardFinder, Rewards
from assay.renter.search import Order, Wanted
from assay.renter.settings import RenterSettings
from assay.renter.steps import Step, StepName, Steps, untold
from assay.renter.validators import Validators
from assay.renter.wallet import ESCROW, Done, Wallet
from assay.renter.wallet_opener import WalletOpener

NO_WALLET = "this needs a wallet: name its key file with --key-file, ASSAY_KEY_FILE or a context"
LIMIT = 50


@dataclass(frozen=True)
class Rented:
    """A lease that runs, how it came to, and what each step took."""

    lease: Lease
    proof: HandoverResult
    transactions: tuple[Done, ...]
    steps: tuple[Step, ...]


class Renter:
    """Use `Renter.connect`. Without a key file it can search, but not lease."""

    def __init__(
        self,
        chain: Chain,
        http: HttpClient,
        key: Key | None,
        wallet: WalletOpener | None,
        files: LeaseFiles,
        market: str | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.chain = chain
        self.market = market
        self._http = http
        self._key = key
        self._wallet = wallet
        self._clock = clock
        self._sleep = sleep
        validators = Validators(chain, http)
        self._discovery = Discovery(chain, http, validators, clock)
        self._rewards = RewardFinder(chain, validators)
        self._starter = LeaseStarter(chain, chain.domain(ESCROW), files, self._sign, clock, sleep)

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: RenterSettings) -> AsyncIterator[Self]:
        """Connects for the time of a `with` block. Raises ChainError, BadInput."""
        deployment = Deployment.load(settings.deployment)
        key = load(settings.key_file, password(settings.password_file)) if settings.key_file else None
        chain = await Chain.connect(settings.rpc, deployment, final_depth=settings.final_depth)
        http = HttpClient()
        try:
            wallet = WalletOpener(chain, key, settings.folder, settings.poll_seconds) if key else None
            files = LeaseFiles(settings.folder, chain.chain_id, deployment.address(ESCROW))
            yield cls(chain, http, key, wallet, files, settings.market)
        finally:
            await http.close()
            await chain.close()

    @property
    def address(self) -> str:
        """The wallet's address. Raises BadInput where no key file was named."""
        if self._key is None:
            raise BadInput(NO_WALLET)
        return self._key.address

    # --- finding

    async def search(
        self, wanted: Wanted, order: Order = Order.price, *, verify: bool = False, limit: int = LIMIT
    ) -> list[Listing]:
        """At most `limit` devices that can be leased and are what is wanted; best first.

        With a market its claims are shown, or with `verify` held to the chain; without one, validators and providers
        are asked and every listing is proven.
        """
        if self.market is not None:
            return await self._discovery.search_market(self.market, wanted, order, verify, limit)
        return (await self._discovery.search(wanted, order))[:limit]

    async def choose(self, wanted: Wanted, order: Order, count: int = 1, apart: bool = False) -> list[Listing]:
        """The best `count` devices, proven; with `apart` no two at one site. Raises NoDevice for fewer."""
        found = await self._discovery.search(wanted, order)
        if apart:
            return spread(found, count)
        if not found:
            raise NoDevice("no device on offer answers to this: fewer filters, or look again after the next epoch")
        if len(found) < count:
            raise NoDevice(f"{count} devices were asked for, {len(found)} on offer answer to it: ask for less")
        return found[:count]

    async def listing(self, device_id: bytes) -> Listing:
        """One device with its offer and newest passing line, proven. Raises NoDevice."""
        return await self._discovery.listing(device_id)

    async def quote(self, device_id: bytes, seconds: int) -> Listing:
        """One device at the price its provider makes to this wallet alone. Raises NoDevice, ProviderRefused."""
        return await self._discovery.quote(device_id, self.address, seconds)

    async def device(self, device_id: bytes) -> Device:
        """An active device by its id. Raises NoDevice."""
        return await self._discovery.device(device_id)

    async def device_id(self, text: str) -> bytes:
        """The device that an id, or the beginning of one, names. Raises BadInput, NoDevice."""
        return await self._discovery.device_id(text)

    async def market_status(self) -> dict[str, Any]:
        """Where the market's index stands. Raises BadInput without a market, Unreachable."""
        if self.market is None:
            raise BadInput("no market is named: --market, ASSAY_MARKET or a context")
        return await MarketClient(self._http, self.market).status()

    # --- renting

    async def rent(
        self, listing: Listing, deposit: int, min_score: int = 0, on_step: Callable[[Step], None] = untold
    ) -> Rented:
        """Opens, has the device prove itself, verifies, starts. `deposit` in base units.

        Where the proof does not convince or the provider does not answer, the lease is cancelled, the deposit is paid
        back and the error raised again.
        """
        steps = Steps(on_step)
        lease, done = await self._open(listing, deposit, min_score, steps)
        return await self._prove_and_start(lease, done, steps)

    async def resume(self, lease_id: int, on_step: Callable[[Step], None] = untold) -> Rented:
        """As `rent` from the handover on, for a lease that was opened elsewhere or whose renting broke off."""
        lease = await self.lease(lease_id)
        require_own(lease, self.address)
        return await self._prove_and_start(lease, [], Steps(on_step))

    async def open(self, listing: Listing, deposit: int, min_score: int = 0) -> tuple[Lease, list[Done]]:
        """Pays the deposit (base units) in and opens a pending lease; the device is not taken yet."""
        return await self._open(listing, deposit, min_score, Steps())

    async def handover(self, lease_id: int) -> HandoverResult:
        """Has the device prove itself for this lease and verifies it here. Raises ProofRejected, and then no
        money has flowed: cancel the lease to have it all back."""
        lease = await self.lease(lease_id)
        device = await self.device(lease.device_id)
        return await self._starter.handover(lease, device, self._session(device.endpoint, lease_id), Steps())

    async def start(self, lease_id: int) -> dict[str, Any]:
        """Signs the start and has the provider submit it. Raises ProofRejected where no handover was verified here."""
        return await self._starter.start(lease_id, await self.session(lease_id), Steps())

    async def _open(self, listing: Listing, deposit: int, min_score: int, steps: Steps) -> tuple[Lease, list[Done]]:
        proven = proof_of(listing)
        async with self.sending() as wallet:
            done = await wallet.open(proven.signed, deposit, proven.measured, min_score)
            lease = await wallet.opened_lease(done[-1])
        steps.take(StepName.deposit, f"lease {lease.lease_id} is open, the deposit in escrow")
        return lease, done

    async def _prove_and_start(self, lease: Lease, done: list[Done], steps: Steps) -> Rented:
        try:
            device = await self.device(lease.device_id)
            session = self._session(device.endpoint, lease.lease_id)
            proof = await self._starter.handover(lease, device, session, steps)
            await self._starter.start(lease.lease_id, session, steps)
        except RenterError:
            if (await self.lease(lease.lease_id)).status is LeaseStatus.PENDING:
                await self.end(lease.lease_id)
                await self.refund(lease.lease_id)
            raise
        return Rented(await self.lease(lease.lease_id), proof, tuple(done), tuple(steps.done))

    # --- leases

    async def own_leases(self) -> list[Lease]:
        """This wallet's leases, oldest first."""
        block = await self.chain.finalised()
        opened = await read_events(self.chain, ESCROW, ["LeaseOpened"], self.chain.deployment.block, block)
        mine = [e.args["leaseId"] for e in opened if e.args["renter"].lower() == self.address.lower()]
        return list(await asyncio.gather(*(self.lease(lease_id) for lease_id in mine)))

    async def lease(self, lease_id: int) -> Lease:
        """A lease as the escrow holds it in the latest block. Raises BadInput for an unknown number."""
        lease = await read_lease(self.chain, lease_id, at="latest")
        if lease.status is LeaseStatus.NONE:
            raise BadInput(f"there is no lease {lease_id}; `assay leases` lists yours")
        return lease

    async def streamed(self, lease_id: int) -> int:
        """What has streamed so far, base units."""
        return int(await self.chain.call(ESCROW, "streamed", lease_id, at="latest"))

    async def session(self, lease_id: int) -> ProviderSession:
        """Signed requests to the provider of a lease. Raises BadInput for a lease of another wallet."""
        lease = await self.lease(lease_id)
        require_own(lease, self.address)
        device = (await self._discovery.devices()).get(lease.device_id)
        if device is None or not device.endpoint:
            raise NoDevice(f"the device of lease {lease_id} announces no address")
        self._http.pin(device.endpoint, device.tls_fingerprint)
        return self._session(device.endpoint, lease_id)

    async def alive(self, device_id: bytes) -> bool:
        """Whether the device key signs a fresh nonce now."""
        device = (await self._discovery.devices()).get(device_id)
        return device is not None and await is_alive(self._http, device)

    async def top_up(self, lease_id: int, amount: int) -> list[Done]:
        """Adds to the deposit, base units. Raises BadInput for a lease that does not run, or another wallet's."""
        lease = await self._running(lease_id, "a top-up")
        async with self.sending() as wallet:
            approval = await wallet.approve(lease.token, amount)
            paid = await wallet.send(ContractCall(ESCROW, "topUp", (lease_id, amount)))
        return [*([approval] if approval else []), paid]

    async def end(self, lease_id: int) -> Done:
        """Stops the stream now; a pending lease is cancelled. Raises BadInput for one that is over or not ours."""
        lease = await self.lease(lease_id)
        require_endable(lease, self.address)
        async with self.sending() as wallet:
            return await wallet.send(end_call(lease_id, lease.status))

    async def refundable(self, lease_id: int) -> int:
        """What the escrow owes back now, base units."""
        return int(await self.chain.call(ESCROW, "refundable", lease_id, at="latest"))

    async def refund(self, lease_id: int, receiver: str | None = None) -> tuple[int, Done]:
        """Collects what the escrow owes back; the amount in base units. Raises BadInput where nothing is due."""
        due = await self._due(lease_id)
        async with self.sending() as wallet:
            return due, await wallet.send(ContractCall(ESCROW, "refund", (lease_id, receiver or wallet.address)))

    async def downtime(self, lease_id: int) -> DowntimeFound:
        """The downtime of a lease that reports attest and the escrow gives back now, each line proven."""
        await self.lease(lease_id)

        async def line(epoch: int, root: bytes, device_id: bytes) -> Measured | None:
            return await self._discovery.line(epoch, root, device_id, self.market)

        return await find_downtime(self.chain, lease_id, line)

    async def refund_downtime(self, lease_id: int, past_missing: bool = False) -> tuple[DowntimeFound, list[Done]]:
        """Has the escrow credit that, epoch by epoch, up to one whose line nobody serves, or with `past_missing` all;
        `refund` pays it out. Beyond the escrow's `maxDowntime` that frees the renter of the least duration and forfeits
        the bond to it: do it before `end`."""
        found = await self.downtime(lease_id)
        if not past_missing:
            found = found.up_to_missing()
        if not found.claimable:
            return found, []
        async with self.sending() as wallet:
            return found, [await wallet.send(one.call(lease_id)) for one in found.claimable]

    async def leaves_free(self, lease_id: int) -> bool:
        """Whether its renter may leave an active lease before the least duration without paying for the rest of it, and
        takes the bond: once the downtime that can be claimed now is."""
        lease = await self.lease(lease_id)
        found = await self.downtime(lease_id)
        most = int(await self.chain.call(ESCROW, "maxDowntime", at="latest"))
        return lease.status is LeaseStatus.ACTIVE and lease.downtime + found.seconds > most

    async def keep(self, lease_id: int, policy: Policy, every: float, tell: Callable[[str], None]) -> Move:
        """Stays until the lease is over: tops it up by the policy; ends it when its device has been silent too long,
        and collects what is left of the deposit. Raises BadInput for a lease of another wallet."""
        lease = await self.lease(lease_id)
        require_own(lease, self.address)
        device_id = lease.device_id
        amount = await self._amounts_of(lease.token) if policy.cap else str

        async def top_up(amount: int) -> None:
            await self.top_up(lease_id, amount)

        async def end() -> None:
            await self._downtime_before_end(lease_id, tell)
            await self.end(lease_id)
            if await self.refundable(lease_id):
                await self.refund(lease_id)

        hands = Hands(
            lease=lambda: self.lease(lease_id),
            alive=lambda: self.alive(device_id),
            top_up=top_up,
            end=end,
            clock=self._clock,
            sleep=self._sleep,
            tell=tell,
            amount=amount,
        )
        return await keep(hands, policy, every)

    # --- what would be sent

    async def plan_rent(self, listing: Listing, deposit: int, min_score: int = 0) -> list[Planned]:
        """The transactions that `rent` would send where no permit is used; nothing is sent."""
        proven = proof_of(listing)
        holder = self._key.address if self._key else None
        return await planned_opening(self.chain, proven, deposit, min_score, holder)

    async def plan_top_up(self, lease_id: int, amount: int) -> list[Planned]:
        """The transaction that `top_up` would send after the approval it needs."""
        await self._running(lease_id, "a top-up")
        return [planned_call(self.chain, ContractCall(ESCROW, "topUp", (lease_id, amount)))]

    async def plan_end(self, lease_id: int) -> list[Planned]:
        """The transaction that `end` would send."""
        lease = await self.lease(lease_id)
        require_endable(lease, self._key.address if self._key else None)
        return [planned_call(self.chain, end_call(lease_id, lease.status))]

    async def plan_downtime(self, lease_id: int, past_missing: bool = False) -> list[Planned]:
        """The transactions that `refund_downtime` would send."""
        found = await self.downtime(lease_id)
        claimed = found if past_missing else found.up_to_missing()
        return [planned_call(self.chain, one.call(lease_id)) for one in claimed.claimable]

    async def plan_refund(self, lease_id: int, receiver: str | None = None) -> list[Planned]:
        """The transaction that `refund` would send."""
        await self.lease(lease_id)
        return [planned_call(self.chain, ContractCall(ESCROW, "refund", (lease_id, receiver or self.address)))]

    # --- network rewards

    async def rewards(self, account: str | None = None) -> Rewards:
        """What an account, the wallet's where none is named, has earned as a provider or a validator."""
        return await self._rewards.find(account or self.address)

    async def claim_rewards(self, found: Rewards, receiver: str | None = None) -> Done:
        """Claims what is due to the wallet's account. Raises BadInput where nothing is."""
        call = found.claim(receiver or self.address)
        async with self.sending() as wallet:
            return await wallet.send(call)

    async def plan_claim_rewards(self, found: Rewards, receiver: str | None = None) -> list[Planned]:
        """The transaction that `claim_rewards` would send."""
        return [planned_call(self.chain, found.claim(receiver or found.account))]

    # --- the wallet

    async def holdings(self, tokens: list[str]) -> dict[str, tuple[int, int]]:
        """(base units, decimals) of the chain's own coin, under "coin", and of tokens by their symbols."""
        coin = int(await self.chain.rpc("eth_getBalance", [self.address, "latest"]), 16)
        held = {"coin": (coin, 18)}
        for token in tokens:
            erc20 = Erc20(self.chain, token)
            held[await erc20.symbol()] = (await erc20.balance(self.address), await erc20.decimals())
        return held

    def sending(self) -> AbstractAsyncContextManager[Wallet]:
        """The wallet, its journal locked for the time of a `with` block. Raises BadInput without a key file."""
        if self._wallet is None:
            raise BadInput(NO_WALLET)
        return self._wallet.sending()

    async def _amounts_of(self, token: str) -> Callable[[int], str]:
        """Shows base units of a token in whole ones, with its symbol."""
        erc20 = Erc20(self.chain, token)
        decimals, symbol = await asyncio.gather(erc20.decimals(), erc20.symbol())
        return lambda units: f"{show_amount(units, decimals)} {symbol}"

    async def _running(self, lease_id: int, what: str) -> Lease:
        lease = await self.lease(lease_id)
        if self._key is not None:
            require_own(lease, self._key.address)
        require_running(lease, self._clock(), what)
        return lease

    async def _due(self, lease_id: int) -> int:
        lease, due = await asyncio.gather(self.lease(lease_id), self.refundable(lease_id))
        require_own(lease, self.address)
        if due == 0:
            raise BadInput(f"nothing of lease {lease_id} is refundable now: it is {lease.status.name.lower()}")
        return due

    async def _downtime_before_end(self, lease_id: int, tell: Callable[[str], None]) -> None:
        # Ending must not wait for this: what is not credited now still can be afterwards, except the freedom to leave.
        try:
            # What a missing line may hold is worth less than leaving free.
            await self.refund_downtime(lease_id, await self.leaves_free(lease_id))
        except (ChainError, RenterError) as error:
            tell(f"downtime was not claimed before the end: {error}")

    def _session(self, endpoint: str, lease_id: int) -> ProviderSession:
        if self._key is None:
            raise BadInput(NO_WALLET)
        return ProviderSession(self._http, endpoint, lease_id, self._key, self.chain.domain(ESCROW), self._clock)

    def _sign(self, message: LeaseStart) -> bytes:
        if self._key is None:
            raise BadInput(NO_WALLET)
        return self._key.sign(message, self.chain.domain(ESCROW))


def proof_of(listing: Listing) -> Evidence:
    """What proves a listing. Raises BadInput for a market's claim that was not checked."""
    if listing.evidence is None:
        raise BadInput(f"device {listing.name} is a market's claim: take it from `listing` or a verified search")
    return listing.evidence


def end_call(lease_id: int, status: LeaseStatus) -> ContractCall:
    """`cancel` of a pending lease, `end` of any other."""
    return ContractCall(ESCROW, "cancel" if status is LeaseStatus.PENDING else "end", (lease_id,))
