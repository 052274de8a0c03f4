"""The renter's library without `await`: the same methods, run on a loop of their own thread, so that notebooks and
programs that have a loop already can call them too."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from assay.chain.contracts.devices import Device
from assay.chain.contracts.leases import Lease
from assay.protocol.messages import Offer
from assay.protocol.types import DeviceId
from assay.renter.lease.checking import EVERYTHING, Checked, HowToCheck
from assay.renter.lease.downtime import DowntimeFound
from assay.renter.lease.keeping import Move, Policy
from assay.renter.lease.lease_start import HandoverResult
from assay.renter.lease.lease_views import LeaseView
from assay.renter.lease.planned import Plan, Planned
from assay.renter.lease.rented import Rented
from assay.renter.lease.steps import Step, unheard, untold
from assay.renter.market.listing import Listing
from assay.renter.market.placement import ANYWHERE, Placement
from assay.renter.market.search import Order, Wanted
from assay.renter.money.receipts import LeaseReceipt
from assay.renter.money.rewards import Rewards
from assay.renter.money.wallet import Done, Minima
from assay.renter.renter import ANY, LIMIT, Renter
from assay.renter.session.file_transfer import Transfer
from assay.renter.session.jobs import PATIENCE_S, run_job
from assay.renter.session.provider_session import MAX_FILE, Contents, JobState, Notebook, ProviderSession
from assay.renter.settings import RenterSettings
from assay.sheet.values import Sheet
from assay.wire.clusters import ClusterBody, ClusterShownBody
from assay.wire.pods import EndpointBody, EndpointsBody, ExposeBody, PodBody, PodShownBody, PodTemplate, UseBody

if TYPE_CHECKING:
    from assay.renter.session.pod_proof import PodProof

T = TypeVar("T")


class Loop:
    """An event loop in a thread; `run` waits for a coroutine there."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="assay-renter", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result, or its exception. An interrupt of the caller cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Ends the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class SyncProviderSession:
    """As ProviderSession, without `await`."""

    def __init__(self, session: ProviderSession, loop: Loop) -> None:
        self._session = session
        self._run = loop.run

    def create_job(
        self,
        command: Sequence[str],
        files: Mapping[str, bytes],
        environment: Mapping[str, str],
        limits: Mapping[str, Any],
        image: str | None = None,
    ) -> str:
        """Starts a job; its id."""
        return self._run(self._session.create_job(command, files, environment, limits, image))

    def run_job(
        self, job_id: str, on_output: Callable[[bytes], None] = lambda piece: None, patience_s: float = PATIENCE_S
    ) -> JobState:
        """Follows a job to its end, through disconnections; each byte of output is handed on once."""
        return self._run(run_job(self._session, job_id, on_output, patience_s))

    def notebook(self) -> Notebook:
        """The lease's notebook, started where none runs: its path opens it once, within a minute."""
        return self._run(self._session.notebook())

    def expose(self, wanted: ExposeBody) -> EndpointBody:
        """A public port of the provider's that leads to one of the pod's; the one that does so already."""
        return self._run(self._session.expose(wanted))

    def endpoints(self) -> EndpointsBody:
        """The lease's endpoints, and what has gone through each, by the provider's count."""
        return self._run(self._session.endpoints())

    def close_endpoint(self, protocol: str, public_port: int) -> EndpointsBody:
        """Closes an endpoint; what is left of them."""
        return self._run(self._session.close_endpoint(protocol, public_port))

    def close_name(self, name: str) -> EndpointsBody:
        """Closes an endpoint with HTTPS; what is left of them."""
        return self._run(self._session.close_name(name))

    def jobs(self) -> list[JobState]:
        """All jobs of the lease, oldest first."""
        return self._run(self._session.jobs())

    def job(self, job_id: str) -> JobState:
        """How a job stands."""
        return self._run(self._session.job(job_id))

    def stop_job(self, job_id: str) -> JobState:
        """Ends a job."""
        return self._run(self._session.stop_job(job_id))

    def files(self) -> list[dict[str, Any]]:
        """Files of the workspace: {path, size, mode}."""
        return self._run(self._session.files())

    def contents(self) -> Contents:
        """Everything in the workspace: files, folders, links."""
        return self._run(self._session.contents())

    def fetch(self, path: str, most: int = MAX_FILE) -> bytes:
        """The content of one file."""
        return self._run(self._session.fetch(path, most))

    def put(self, path: str, content: bytes, mode: int | None = None) -> None:
        """Writes one file, with permissions where they are given."""
        return self._run(self._session.put(path, content, mode))

    def put_folder(self, path: str, mode: int) -> None:
        """Makes a folder, or gives the one that is there its permissions."""
        return self._run(self._session.put_folder(path, mode))

    def put_link(self, path: str, target: str) -> None:
        """Makes a symbolic link."""
        return self._run(self._session.put_link(path, target))

    def upload(self, source: Path, path: str) -> None:
        """Puts a file of any size, going on where an earlier try broke off."""
        with source.open("rb") as file:
            status = os.fstat(file.fileno())
            self._run(Transfer(self._session).put_file(path, file, status.st_size, status.st_mode & 0o777))

    def download(self, path: str, target: Path) -> None:
        """Fetches a file of any size, going on behind what is there if the file begins with that."""
        with target.open("a+b") as file:
            self._run(Transfer(self._session).fetch_file(path, file))

    def choose_pod(self, wanted: PodBody) -> PodShownBody:
        """Says what the lease's pod starts from."""
        return self._run(self._session.choose_pod(wanted))

    def use(self) -> UseBody:
        """What the lease's pod and cards use."""
        return self._run(self._session.use())

    def pod(self) -> PodShownBody:
        """How the lease's pod stands, and how far its image is."""
        return self._run(self._session.pod())

    def restart_pod(self) -> PodShownBody:
        """Ends everything in the pod and starts it again, with all its files."""
        return self._run(self._session.restart_pod())

    def cluster(self) -> ClusterShownBody:
        """What other providers must know of the lease, and how its links to them stand."""
        return self._run(self._session.cluster())

    def join(self, cluster: ClusterBody) -> ClusterShownBody:
        """Makes the lease's pod a member of a cluster."""
        return self._run(self._session.join(cluster))

    def templates(self) -> dict[str, PodTemplate]:
        """The templates that can be named at this provider."""
        return self._run(self._session.templates())


class SyncRenter:
    """As Renter, without `await`. Use `SyncRenter.connect`."""

    def __init__(self, renter: Renter, loop: Loop) -> None:
        self._renter = renter
        self._loop = loop
        self._run = loop.run

    @classmethod
    @contextmanager
    def connect(cls, settings: RenterSettings) -> Iterator[Self]:
        """Connects for the time of a `with` block. Raises ChainError, BadInput."""
        loop = Loop()
        try:
            connection = Renter.connect(settings)
            renter = loop.run(connection.__aenter__())
            try:
                yield cls(renter, loop)
            finally:
                loop.run(connection.__aexit__(None, None, None))
        finally:
            loop.close()

    @property
    def address(self) -> str:
        """The wallet's address. Raises BadInput where no key file was named."""
        return self._renter.address

    def search(
        self, wanted: Wanted, order: Order = Order.price, *, verify: bool = False, limit: int = LIMIT
    ) -> list[Listing]:
        """At most `limit` offers, of one device or of several together, that are what is wanted; best first."""
        return self._run(self._renter.search(wanted, order, verify=verify, limit=limit))

    def choose(self, wanted: Wanted, order: Order, count: int = 1, place: Placement = ANYWHERE) -> list[Listing]:
        """The best `count` offers, proven, that go together by `place`. Raises NoDevice for fewer."""
        return self._run(self._renter.choose(wanted, order, count, place))

    def proven(self, wanted: Wanted, order: Order) -> list[Listing]:
        """All offers that are what is wanted, proven; best first."""
        return self._run(self._renter.proven(wanted, order))

    def listing(self, device_id: DeviceId, gpus: int = 1, token: str | None = None) -> Listing:
        """The offer of one device, alone or with others to `gpus`, proven. Raises NoDevice."""
        return self._run(self._renter.listing(device_id, gpus, token))

    def quote(self, device_ids: Sequence[DeviceId], seconds: int) -> Listing:
        """Devices together at the price their provider makes to this wallet alone."""
        return self._run(self._renter.quote(device_ids, seconds))

    def device(self, device_id: DeviceId) -> Device:
        """An active device by its id. Raises NoDevice."""
        return self._run(self._renter.device(device_id))

    def device_id(self, text: str) -> bytes:
        """The device that an id, or the beginning of one, names. Raises BadInput, NoDevice."""
        return self._run(self._renter.device_id(text))

    def market_status(self) -> dict[str, Any]:
        """Where the market's index stands."""
        return self._run(self._renter.market_status())

    def rent(
        self,
        listing: Listing,
        deposit: int,
        minima: Minima = ANY,
        on_step: Callable[[Step], None] = untold,
        pod: PodBody | None = None,
        tell: Callable[[str], None] = unheard,
    ) -> Rented:
        """Opens, has all devices prove themselves at once, verifies, starts. `deposit` in base units."""
        return self._run(self._renter.rent(listing, deposit, minima, on_step, pod, tell))

    def resume(
        self,
        lease_id: int,
        on_step: Callable[[Step], None] = untold,
        pod: PodBody | None = None,
        tell: Callable[[str], None] = unheard,
    ) -> Rented:
        """As `rent` from the handover on."""
        return self._run(self._renter.resume(lease_id, on_step, pod, tell))

    def open(self, listing: Listing, deposit: int, minima: Minima = ANY) -> tuple[Lease, list[Done]]:
        """Pays the deposit in and opens a pending lease."""
        return self._run(self._renter.open(listing, deposit, minima))

    def handover(self, lease_id: int) -> HandoverResult:
        """Has the device prove itself and verifies it here. Raises ProofRejected."""
        return self._run(self._renter.handover(lease_id))

    def start(self, lease_id: int) -> dict[str, Any]:
        """Signs the start and has the provider submit it."""
        return self._run(self._renter.start(lease_id))

    def own_leases(self, wanted: Callable[[Lease], bool] | None = None) -> list[LeaseView]:
        """This wallet's leases, oldest first; with `wanted` those that it takes."""
        return self._run(self._renter.own_leases(wanted))

    def lease(self, lease_id: int) -> Lease:
        """A lease as the escrow holds it in the latest block."""
        return self._run(self._renter.lease(lease_id))

    def offer(self, lease_id: int) -> Offer:
        """What a lease was opened on."""
        return self._run(self._renter.offer(lease_id))

    def view(self, lease_id: int) -> LeaseView:
        """A lease with its devices, what has streamed, and what leaving it now would cost."""
        return self._run(self._renter.view(lease_id))

    def receipt(self, lease_id: int) -> LeaseReceipt:
        """A lease's bill, cancelled or not."""
        return self._run(self._renter.receipt(lease_id))

    def session(self, lease_id: int) -> SyncProviderSession:
        """Signed requests to the provider of a lease."""
        return SyncProviderSession(self._run(self._renter.session(lease_id)), self._loop)

    def testimony(self, device_ids: Sequence[DeviceId]) -> Sheet:
        """What renters measured of these devices, as a market has it and the chain bears it out."""
        return self._run(self._renter.testimony(device_ids))

    def testify(self, checked: Checked) -> None:
        """Signs what a check found and has the market keep it."""
        return self._run(self._renter.testify(checked))

    def check(self, lease_id: int, how: HowToCheck = EVERYTHING) -> Checked:
        """Measures a lease from inside, has its pod prove the cards, and compares with the sheet."""
        return self._run(self._renter.check(lease_id, how))

    def prove(self, lease_id: int, wheels: Sequence[Path], tell: Callable[[str], None]) -> list[PodProof]:
        """Only has the pod prove its cards."""
        return self._run(self._renter.prove(lease_id, wheels, tell))

    def silent(self, device_ids: Sequence[DeviceId]) -> tuple[bytes, ...]:
        """Those of these devices whose keys do not sign a fresh nonce now."""
        return self._run(self._renter.silent(device_ids))

    def top_up(self, lease_id: int, amount: int) -> list[Done]:
        """Adds to the deposit, base units."""
        return self._run(self._renter.top_up(lease_id, amount))

    def end(self, lease_id: int) -> Done:
        """Stops the stream now; a pending lease is cancelled."""
        return self._run(self._renter.end(lease_id))

    def refundable(self, lease_id: int) -> int:
        """What the escrow owes back now, base units."""
        return self._run(self._renter.refundable(lease_id))

    def refund(self, lease_id: int, receiver: str | None = None) -> tuple[int, Done]:
        """Collects what the escrow owes back."""
        return self._run(self._renter.refund(lease_id, receiver))

    def downtime(self, lease_id: int) -> DowntimeFound:
        """The downtime of a lease that reports attest and the escrow gives back now, each line proven."""
        return self._run(self._renter.downtime(lease_id))

    def refund_downtime(
        self, lease_id: int, with_held: bool = False, min_down: int = 0
    ) -> tuple[DowntimeFound, list[Done]]:
        """Has the escrow credit that; `refund` pays it out. With `with_held` also by incomplete lines."""
        return self._run(self._renter.refund_downtime(lease_id, with_held, min_down))

    def is_refunder(self, renter: str, agent: str) -> bool:
        """Whether an account may submit the downtime of a renter's leases."""
        return self._run(self._renter.is_refunder(renter, agent))

    def refunders(self) -> list[str]:
        """Whom this wallet has named to submit its leases' downtime."""
        return self._run(self._renter.refunders())

    def name_refunder(self, agent: str, may: bool) -> Done:
        """Lets an account submit the downtime of this wallet's leases, or no longer."""
        return self._run(self._renter.name_refunder(agent, may))

    def keep(self, lease_id: int, policy: Policy, every: float, tell: Callable[[str], None]) -> Move:
        """Stays until the lease is over: tops it up, has downtime credited, leaves it when that costs nothing."""
        return self._run(self._renter.keep(lease_id, policy, every, tell))

    def settle(self, lease_id: int, every: float, tell: Callable[[str], None], min_down: int = 0) -> None:
        """Stays until no more downtime of a lease can be credited, and collects it."""
        return self._run(self._renter.settle(lease_id, every, tell, min_down))

    def show(self, plan: Plan) -> list[Planned]:
        """The transactions that `send` would send where no permit is used."""
        return self._run(self._renter.show(plan))

    def send(self, plan: Plan) -> list[Done]:
        """Sends a plan, each transaction once the one before is in a block."""
        return self._run(self._renter.send(plan))

    def plan_rent(self, listing: Listing, deposit: int, minima: Minima = ANY) -> Plan:
        """What `rent` begins with."""
        return self._renter.plan_rent(listing, deposit, minima)

    def plan_top_up(self, lease_id: int, amount: int) -> Plan:
        """`top_up`."""
        return self._run(self._renter.plan_top_up(lease_id, amount))

    def plan_end(self, lease_id: int) -> Plan:
        """`end`."""
        return self._run(self._renter.plan_end(lease_id))

    def plan_downtime(self, lease_id: int, with_held: bool = False) -> Plan:
        """`refund_downtime`."""
        return self._run(self._renter.plan_downtime(lease_id, with_held))

    def plan_refund(self, lease_id: int, receiver: str | None = None) -> Plan:
        """`refund`."""
        return self._run(self._renter.plan_refund(lease_id, receiver))

    def plan_name_refunder(self, agent: str, may: bool) -> Plan:
        """`name_refunder`."""
        return self._renter.plan_name_refunder(agent, may)

    def plan_claim_rewards(self, found: Rewards, receiver: str | None = None) -> Plan:
        """`claim_rewards`."""
        return self._renter.plan_claim_rewards(found, receiver)

    def rewards(self, account: str | None = None) -> Rewards:
        """What an account has earned as a provider or a validator."""
        return self._run(self._renter.rewards(account))

    def claim_rewards(self, found: Rewards, receiver: str | None = None) -> Done:
        """Claims what is due to the wallet's account."""
        return self._run(self._renter.claim_rewards(found, receiver))

    def holdings(self, tokens: list[str]) -> dict[str, tuple[int, int]]:
        """(base units, decimals) of the chain's own coin and of tokens by their symbols."""
        return self._run(self._renter.holdings(tokens))
