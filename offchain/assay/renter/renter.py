"""One renter: a wallet, a view of the market, and its leases. Everything the command line does goes through here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from assay.chain.contracts.devices import Device
from assay.chain.contracts.leases import Lease, LeaseStatus, offer_of_log, read_lease
from assay.chain.deployment import Deployment
from assay.chain.key_files import Key, open_key
from assay.chain.opening import open_chain
from assay.chain.rpc.client import Chain
from assay.chain.rpc.events import read_events
from assay.network.addresses import Addresses, private_allowed
from assay.network.client import Client
from assay.network.exchange import HttpExchange
from assay.network.origins import Endpoint
from assay.protocol.hexadecimal import to_hex
from assay.protocol.messages import Offer
from assay.protocol.typed_message import TypedMessage
from assay.protocol.types import DeviceId, Root
from assay.renter.errors import BadInput, NoDevice, RenterError
from assay.renter.http_client import HttpClient
from assay.renter.lease.checking import EVERYTHING, Checked, HowToCheck, LeaseChecks
from assay.renter.lease.downtime import DowntimeFinder, DowntimeFound
from assay.renter.lease.keeping import Move, Policy
from assay.renter.lease.lease_files import LeaseFiles
from assay.renter.lease.lease_keeper import WATCHING, keeper_of
from assay.renter.lease.lease_offers import OpenedOffers
from assay.renter.lease.lease_rights import named_refunders, require_own, require_refunder
from assay.renter.lease.lease_start import HandoverResult, LeaseStarter
from assay.renter.lease.lease_views import LeaseView, LeaseViews
from assay.renter.lease.liveness import is_alive
from assay.renter.lease.planned import LeasePlans, Payment, Plan, Planned, sent, shown
from assay.renter.lease.rented import Rented, opening_of
from assay.renter.lease.steps import Step, StepName, Steps, unheard, untold
from assay.renter.market.discovery import Discovery
from assay.renter.market.listing import Listing
from assay.renter.market.market_client import MarketClient
from assay.renter.market.offer_checks import ESCROW
from assay.renter.market.placement import ANYWHERE, Placement
from assay.renter.market.round_trips import open_and_close, round_trips
from assay.renter.market.search import Order, Wanted
from assay.renter.market.testimony import RenterTestimony
from assay.renter.market.validators import Validators
from assay.renter.money.holdings import holdings
from assay.renter.money.receipts import LeaseReceipt, Receipts
from assay.renter.money.rewards import RewardFinder, Rewards
from assay.renter.money.wallet import Done, LeaseOpening, Minima, Wallet, WalletOpener
from assay.renter.session.pod_images import choose_and_follow
from assay.renter.session.provider_session import ProviderSession
from assay.renter.settings import RenterSettings
from assay.sheet.testimony import result_of
from assay.sheet.values import Sheet
from assay.wire.checks import SignedCheck
from assay.wire.lines import Measured
from assay.wire.pods import PodBody

if TYPE_CHECKING:
    from assay.renter.session.pod_proof import PodProof

NO_WALLET = "this needs a wallet: name its key file with --key-file, ASSAY_KEY_FILE or a context"
ELSEWHERE = "the key of {} is elsewhere: --dry-run shows what it would send"
LIMIT = 50
MANY = 10_000
ANY = Minima()


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
        account: str | None = None,
        addresses: Addresses | None = None,
    ) -> None:
        self.chain = chain
        self.market = market
        self._http = http
        self.addresses = addresses or Addresses(allow_private=False)
        self._key = key
        self._account = account or (key.address if key else None)
        self._wallet = wallet
        self.clock = clock
        self.sleep = sleep
        validators = Validators(chain, http)
        measure = partial(round_trips, connect=open_and_close(self.addresses))
        self._discovery = Discovery(chain, http, validators, clock, measure)
        self._testimony = RenterTestimony(chain, chain.domain(ESCROW), clock)
        self._rewards = RewardFinder(chain, validators)
        self._lease_offers = OpenedOffers(chain, files)
        self._views = LeaseViews(chain, self._lease_offers)
        self._checks = LeaseChecks(chain, self._discovery, self._lease_offers)
        self._downtime = DowntimeFinder(chain, self._line)
        self._plans = LeasePlans(self._account, self.lease, clock)
        self._starter = LeaseStarter(chain, chain.domain(ESCROW), self._lease_offers, self._sign, clock, sleep)

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: RenterSettings) -> AsyncIterator[Self]:
        """Connects for the time of a `with` block. Raises ChainError, BadInput."""
        deployment = Deployment.load(settings.deployment)
        key = open_key(settings.key_file, settings.password_file) if settings.key_file else None
        chain = await open_chain(settings, batch=True, cache_logs_in=settings.data_dir)
        addresses = Addresses(private_allowed(chain.chain_id, settings.allow_private))
        http = HttpClient(Client(HttpExchange(addresses)))
        try:
            wallet = WalletOpener(chain, key, settings.data_dir, settings.poll_seconds) if key else None
            files = LeaseFiles(settings.data_dir, chain.chain_id, deployment.address(ESCROW))
            yield cls(chain, http, key, wallet, files, settings.market, account=settings.account, addresses=addresses)
        finally:
            await http.close()
            await chain.close()

    @property
    def address(self) -> str:
        """The wallet's address, or of the account whose key is elsewhere. Raises BadInput where neither is named."""
        if self._account is None:
            raise BadInput(NO_WALLET)
        return self._account

    # --- finding

    async def search(
        self, wanted: Wanted, order: Order = Order.price, *, verify: bool = False, limit: int = LIMIT
    ) -> list[Listing]:
        """At most `limit` offers, of one device or of several together, that are what is wanted; best first.

        With a market its claims are shown, or with `verify` held to the chain; without one, validators and providers
        are asked and every listing is proven.
        """
        if self.market is not None:
            return await self._discovery.search_market(self.market, wanted, order, verify, limit)
        return await self._discovery.search(wanted, order, limit)

    async def choose(self, wanted: Wanted, order: Order, count: int = 1, place: Placement = ANYWHERE) -> list[Listing]:
        """The best `count` offers, proven, that go together by `place`. Raises NoDevice for fewer."""
        if not (found := await self.proven(wanted, order)):
            raise NoDevice("no offer matches: use fewer filters, or search again after the next epoch")
        return place.choose(found, count)

    async def proven(self, wanted: Wanted, order: Order) -> list[Listing]:
        """All offers that are what is wanted, proven; best first."""
        return await self._discovery.search(wanted, order, MANY)

    async def listing(self, device_id: DeviceId, gpus: int = 1, token: str | None = None) -> Listing:
        """The offer of one device, alone or with others to `gpus`, with the lines that prove it. Raises NoDevice."""
        return await self._discovery.listing(device_id, gpus, token)

    async def quote(self, device_ids: Sequence[DeviceId], seconds: int) -> Listing:
        """Devices together at the price their provider makes to this wallet alone. Raises NoDevice, ProviderRefused."""
        return await self._discovery.quote(device_ids, self.address, seconds)

    async def device(self, device_id: DeviceId) -> Device:
        """An active device by its id. Raises NoDevice."""
        return await self._discovery.device(device_id)

    async def device_id(self, text: str) -> DeviceId:
        """The device that an id, or the beginning of one, names. Raises BadInput, NoDevice."""
        return await self._discovery.device_id(text)

    async def market_status(self) -> dict[str, Any]:
        """Where the market's index stands. Raises BadInput without a market, Unreachable."""
        return await self._at_market().status()

    async def testimony(self, device_ids: Sequence[DeviceId]) -> Sheet:
        """What renters measured of these devices, as a market has it and the chain bears it out. Raises as above."""
        return await self._testimony.of(self._at_market(), device_ids)

    async def testify(self, checked: Checked) -> None:
        """Signs what a check found and has the market keep it. Raises as above."""
        result = result_of(checked.lease_id, int(self.clock()), checked.lines)
        await self._at_market().take_check(SignedCheck(result, self._sign(result)))

    # --- renting

    async def rent(
        self,
        listing: Listing,
        deposit: int,
        minima: Minima = ANY,
        on_step: Callable[[Step], None] = untold,
        pod: PodBody | None = None,
        tell: Callable[[str], None] = unheard,
    ) -> Rented:
        """Opens, has all devices prove themselves at once, verifies, starts. `deposit` in base units; the escrow holds
        every device to `minima`. With `pod` its image is at the provider before they prove themselves, and so before
        anything streams; `tell` hears how far it is.

        Where a proof does not convince or the provider does not answer, the lease is cancelled, the deposit is paid
        back and the error raised again.
        """
        steps = Steps(on_step)
        lease, done = await self._open(opening_of(listing, deposit, minima), steps)
        return await self._prove_and_start(lease, done, steps, pod, tell)

    async def resume(
        self,
        lease_id: int,
        on_step: Callable[[Step], None] = untold,
        pod: PodBody | None = None,
        tell: Callable[[str], None] = unheard,
    ) -> Rented:
        """As `rent` behind the deposit, for a lease that was opened elsewhere or whose renting broke off."""
        lease = await self.lease(lease_id)
        require_own(lease, self.address)
        return await self._prove_and_start(lease, [], Steps(on_step), pod, tell)

    async def open(self, listing: Listing, deposit: int, minima: Minima = ANY) -> tuple[Lease, list[Done]]:
        """Pays the deposit (base units) in and opens a pending lease; its devices are not taken yet."""
        return await self._open(opening_of(listing, deposit, minima), Steps())

    async def handover(self, lease_id: int) -> HandoverResult:
        """Has the devices prove themselves for this lease and verifies it here. Raises ProofRejected, and then no
        money has flowed: cancel the lease to have it all back."""
        return await self._handover(await self.lease(lease_id), Steps())

    async def start(self, lease_id: int) -> dict[str, Any]:
        """Signs the start and has the provider submit it. Raises ProofRejected where no handover was verified here."""
        return await self._starter.start(await self.lease(lease_id), await self.session(lease_id), Steps())

    async def _open(self, opening: LeaseOpening, steps: Steps) -> tuple[Lease, list[Done]]:
        async with self.sending() as wallet:
            done = await wallet.open(opening)
            lease = await wallet.opened_lease(done[-1])
        self._lease_offers.opened(lease, opening.proven.signed.offer)
        steps.take(StepName.deposit, f"lease {lease.lease_id} is open, the deposit in escrow")
        return lease, done

    async def _handover(self, lease: Lease, steps: Steps) -> HandoverResult:
        devices = await self._discovery.node((await self._lease_offers.of(lease)).device_ids)
        session = self._session(_endpoint_of(devices[0]), lease.lease_id)
        return await self._starter.handover(lease, devices, session, steps)

    async def _prove_and_start(
        self, lease: Lease, done: list[Done], steps: Steps, pod: PodBody | None, tell: Callable[[str], None]
    ) -> Rented:
        lease_id = lease.lease_id
        try:
            if pod is not None:
                session = await self.session(lease_id)
                await self._starter.until_known(session, lease_id)
                chosen = await choose_and_follow(session, pod, tell, self.sleep)
                steps.take(StepName.image, f"image {chosen.image} is at the provider")
            convinced = await self._starter.convinced(lease)
            proof = None if convinced else await self._handover(lease, steps)
            # As it stands now: its number may have become another lease's meanwhile.
            lease = await self.lease(lease_id)
            require_own(lease, self.address)
            await self._starter.start(lease, await self.session(lease_id), steps)
        except RenterError:
            if (await self.lease(lease_id)).status is LeaseStatus.PENDING:
                await self.end(lease_id)
                await self.refund(lease_id)
            raise
        lease = await self.lease(lease_id)
        return Rented(lease, await self._lease_offers.of(lease), proof, tuple(done), tuple(steps.done))

    # --- leases

    async def own_leases(self, wanted: Callable[[Lease], bool] | None = None) -> list[LeaseView]:
        """This wallet's leases, oldest first; with `wanted` those that it takes."""
        block = await self.chain.finalised()
        opened = await read_events(
            self.chain, ESCROW, ["LeaseOpened"], self.chain.deployment.block, block, where={"renter": [self.address]}
        )
        mine = [event.args for event in opened]
        leases = await asyncio.gather(*(self.lease(one["leaseId"]) for one in mine))
        found = [(lease, one) for lease, one in zip(leases, mine, strict=True) if wanted is None or wanted(lease)]
        return await self._views.of_all([(lease, offer_of_log(one["offer"])) for lease, one in found])

    async def lease(self, lease_id: int) -> Lease:
        """A lease as the escrow holds it in the latest block. Raises BadInput for an unknown number."""
        lease = await read_lease(self.chain, lease_id, at="latest")
        if lease.status is LeaseStatus.NONE:
            raise BadInput(f"there is no lease {lease_id}; `assay leases` lists yours")
        return lease

    async def offer(self, lease_id: int) -> Offer:
        """What a lease was opened on, as it is kept here or in the chain's log. Raises BadInput, ChainError."""
        return await self._lease_offers.of(await self.lease(lease_id))

    async def view(self, lease_id: int) -> LeaseView:
        """A lease with its devices, what has streamed, and what leaving it now would cost."""
        return await self._views.of(await self.lease(lease_id))

    async def receipt(self, lease_id: int) -> LeaseReceipt:
        """A lease's bill, cancelled or not. Raises BadInput for an unknown number."""
        return await Receipts(self.chain).of(await self.lease(lease_id))

    async def session(self, lease_id: int) -> ProviderSession:
        """Signed requests to the provider of a lease. Raises BadInput for a lease of another wallet."""
        lease = await self.lease(lease_id)
        require_own(lease, self.address)
        first, known = (await self._lease_offers.of(lease)).device_ids[0], await self._discovery.devices()
        if (device := known.get(first)) is None or not device.endpoint:
            raise NoDevice(f"device {to_hex(first)} of lease {lease_id} announces no address")
        return self._session(_endpoint_of(device), lease_id)

    async def check(self, lease_id: int, how: HowToCheck = EVERYTHING) -> Checked:
        """Measures a lease from inside, has its pod prove the cards under a nonce of ours, and compares with the sheet.
        Raises ProofRejected for a proof that does not verify or came too late, Unreachable."""
        return await self._checks.check(await self.lease(lease_id), await self.session(lease_id), how)

    async def prove(self, lease_id: int, wheels: Sequence[Path], tell: Callable[[str], None]) -> list[PodProof]:
        """Only has the pod prove its cards. Raises NotProven, ProofRejected, Unreachable."""
        return await self._checks.prove(await self.lease(lease_id), await self.session(lease_id), wheels, tell)

    async def silent(self, device_ids: Sequence[DeviceId]) -> tuple[bytes, ...]:
        """Those of these devices whose keys do not sign a fresh nonce now."""
        known = await self._discovery.devices()
        alive = await asyncio.gather(*(self._alive(known.get(device_id)) for device_id in device_ids))
        return tuple(device_id for device_id, lives in zip(device_ids, alive, strict=True) if not lives)

    async def top_up(self, lease_id: int, amount: int) -> list[Done]:
        """Adds to the deposit, base units. Raises BadInput for a lease that does not run, or another wallet's."""
        return await self.send(await self.plan_top_up(lease_id, amount))

    async def end(self, lease_id: int) -> Done:
        """Stops the stream now, or where the minimum is still to be paid, at its end; a pending lease is cancelled, one
        left early is ended where that has become free. Raises BadInput for one that is over or not ours."""
        return (await self.send(await self.plan_end(lease_id)))[-1]

    async def refundable(self, lease_id: int) -> int:
        """What the escrow owes back now, base units."""
        return int(await self.chain.call(ESCROW, "refundable", lease_id, at="latest"))

    async def refund(self, lease_id: int, receiver: str | None = None) -> tuple[int, Done]:
        """Collects what the escrow owes back; the amount in base units. Raises BadInput where nothing is due."""
        due = await self._due(lease_id)
        return due, (await self.send(await self.plan_refund(lease_id, receiver)))[-1]

    async def downtime(self, lease_id: int) -> DowntimeFound:
        """The downtime of a lease that reports attest and the escrow credits now, each line proven. Raises BadInput for
        a lease whose renter has not named this wallet to submit it."""
        lease = await self.lease(lease_id)
        sender = self._account or lease.renter
        require_refunder(lease, sender, await self.is_refunder(lease.renter, sender))
        return await self._downtime.find(lease, await self._lease_offers.of(lease), sender)

    async def refund_downtime(
        self, lease_id: int, with_held: bool = False, min_down: int = 0
    ) -> tuple[DowntimeFound, list[Done]]:
        """Has the escrow credit that, epoch by epoch; `refund` pays it out. With `with_held` also epochs of which some
        device's line is served by nobody, by the worst that is; without those of which less than `min_down` was down,
        in hundredths of a percent. Beyond the escrow's `maxDowntime` it frees the renter from the minimum."""
        found = (await self.downtime(lease_id)).of_at_least(min_down)
        found = found.with_held() if with_held else found
        if not found.claimable:
            return found, []
        return found, await self.send(self._plans.downtime(lease_id, await self.offer(lease_id), found))

    async def is_refunder(self, renter: str, agent: str) -> bool:
        """Whether an account may submit the downtime of a renter's leases: the renter itself, or whom it has named."""
        if renter.lower() == agent.lower():
            return True
        return bool(await self.chain.call(ESCROW, "isRefunder", renter, agent, at="latest"))

    async def refunders(self) -> list[str]:
        """Whom this wallet has named to submit its leases' downtime."""
        return await named_refunders(self.chain, self.address)

    async def name_refunder(self, agent: str, may: bool) -> Done:
        """Lets an account submit the downtime of this wallet's leases, or no longer. It can move nothing else: what it
        submits is credited to the renter."""
        return (await self.send(self.plan_name_refunder(agent, may)))[-1]

    async def keep(self, lease_id: int, policy: Policy, every: float, tell: Callable[[str], None]) -> Move:
        """Stays until the lease is over: tops it up by the policy, has downtime credited, ends it at once where a
        device was slashed, and else when that costs nothing and its devices are silent or were down for too long;
        collects what is left of the deposit. Raises BadInput for a lease of another wallet."""
        require_own(await self.lease(lease_id), self.address)
        keeper = await keeper_of(self, lease_id, policy, every, tell)
        return await keeper.keep()

    async def settle(self, lease_id: int, every: float, tell: Callable[[str], None], min_down: int = 0) -> None:
        """Stays until no more downtime of a lease can be credited, and collects it: after its end, or for whom the
        renter has named from now on to then."""
        lease = await self.lease(lease_id)
        require_refunder(lease, self.address, await self.is_refunder(lease.renter, self.address))
        keeper = await keeper_of(self, lease_id, replace(WATCHING, min_down=min_down), every, tell)
        await keeper.settle()
        if lease.renter.lower() == self.address.lower() and await self.refundable(lease_id):
            await self.refund(lease_id)

    # --- what is sent: planned, then shown or sent

    async def show(self, plan: Plan) -> list[Planned]:
        """The transactions that `send` would send where no permit is used; nothing is sent."""
        return await shown(self.chain, plan, self._account)

    async def send(self, plan: Plan) -> list[Done]:
        """Sends a plan, each transaction once the one before is in a block."""
        async with self.sending() as wallet:
            return await sent(wallet, plan)

    def plan_rent(self, listing: Listing, deposit: int, minima: Minima = ANY) -> Plan:
        """What `rent` begins with. `rent` itself pays by a permit where the token takes one."""
        opening = opening_of(listing, deposit, minima)
        return Plan((opening.call(),), Payment(opening.token, opening.deposit))

    async def plan_top_up(self, lease_id: int, amount: int) -> Plan:
        """`top_up`."""
        return await self._plans.top_up(lease_id, amount)

    async def plan_end(self, lease_id: int) -> Plan:
        """`end`."""
        return self._plans.end(await self.view(lease_id))

    async def plan_downtime(self, lease_id: int, with_held: bool = False) -> Plan:
        """`refund_downtime`."""
        found = await self.downtime(lease_id)
        return self._plans.downtime(lease_id, await self.offer(lease_id), found.with_held() if with_held else found)

    async def plan_refund(self, lease_id: int, receiver: str | None = None) -> Plan:
        """`refund`."""
        await self.lease(lease_id)
        return self._plans.refund(lease_id, receiver or self.address)

    def plan_name_refunder(self, agent: str, may: bool) -> Plan:
        """`name_refunder`."""
        return self._plans.name_refunder(agent, may)

    def plan_claim_rewards(self, found: Rewards, receiver: str | None = None) -> Plan:
        """`claim_rewards`. Raises BadInput where nothing is due."""
        return Plan((found.claim(receiver or found.account),))

    # --- network rewards

    async def rewards(self, account: str | None = None) -> Rewards:
        """What an account, the wallet's where none is named, has earned as a provider or a validator."""
        return await self._rewards.find(account or self.address)

    async def claim_rewards(self, found: Rewards, receiver: str | None = None) -> Done:
        """Claims what is due to the wallet's account. Raises BadInput where nothing is."""
        return (await self.send(self.plan_claim_rewards(found, receiver or self.address)))[-1]

    # --- the wallet

    async def holdings(self, tokens: list[str]) -> dict[str, tuple[int, int]]:
        """(base units, decimals) of the chain's own coin, under "coin", and of tokens by their symbols, as `symbols_of`
        tells them apart."""
        return await holdings(self.chain, self.address, tokens)

    def sending(self) -> AbstractAsyncContextManager[Wallet]:
        """The wallet, its journal locked for the time of a `with` block. Raises BadInput without a key file."""
        self._own_key()
        if self._wallet is None:
            raise BadInput(NO_WALLET)
        return self._wallet.sending()

    async def _due(self, lease_id: int) -> int:
        lease, due = await asyncio.gather(self.lease(lease_id), self.refundable(lease_id))
        require_own(lease, self.address)
        if due == 0:
            raise BadInput(f"nothing of lease {lease_id} is refundable now: it is {lease.status.name.lower()}")
        return due

    async def _line(self, epoch: int, root: Root, device_id: DeviceId) -> Measured | None:
        return await self._discovery.line(epoch, root, device_id, self.market)

    async def _alive(self, device: Device | None) -> bool:
        return device is not None and await is_alive(self._http, device)

    def _session(self, endpoint: Endpoint, lease_id: int) -> ProviderSession:
        return ProviderSession(self._http, endpoint, lease_id, self._own_key(), self.chain.domain(ESCROW), self.clock)

    def _at_market(self) -> MarketClient:
        if self.market is None:
            raise BadInput("no market is named: --market, ASSAY_MARKET or a context")
        return MarketClient(self._http, self.market)

    def _sign(self, message: TypedMessage) -> bytes:
        return self._own_key().sign(message, self.chain.domain(ESCROW))

    def _own_key(self) -> Key:
        """The key of the account. Raises BadInput where it is not here."""
        if self._key is None or self._key.address != self._account:
            raise BadInput(ELSEWHERE.format(self._account) if self._account else NO_WALLET)
        return self._key


def _endpoint_of(device: Device) -> Endpoint:
    return Endpoint(device.endpoint, device.tls_fingerprint)
