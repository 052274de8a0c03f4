"""`AssayCluster`: a Dask scheduler and workers in the pods of several leases.

What a client of Dask takes from its workers it unpickles, and that can be any program: only use leases of providers
that you would let run one on this machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from assay.chain.errors import ChainError
from assay.cluster.dask_programs import (
    LOOK_S,
    LOOKS,
    SCHEDULER_PORT,
    PodProgram,
    require_running,
    scheduler_command,
    until_scheduler_answers,
    worker_command,
)
from assay.protocol.rates import cost
from assay.renter.errors import BadInput, RenterError, Unreachable
from assay.renter.lease.steps import unheard, untold
from assay.renter.market.placement import Placement
from assay.renter.market.search import Order, Wanted
from assay.renter.renter import Renter
from assay.renter.session.clusters import join
from assay.renter.session.ssh_access import open_access
from assay.renter.session.ssh_tunnel import HOST, SshTunnel
from assay.renter.settings import RenterSettings
from assay.wire.clusters import MAX_MEMBERS
from assay.wire.pods import PodBody

try:
    from distributed.core import rpc
    from distributed.deploy.cluster import Cluster
except ImportError as error:
    raise ImportError("AssayCluster needs Dask: pip install 'assay[distributed]'") from error

if TYPE_CHECKING:
    from assay.renter.session.provider_session import ProviderSession

LEAST = 2


class AssayCluster(Cluster):  # type: ignore[misc]
    """Workers on leases, the scheduler beside the first, and a tunnel from here to it: `Client(AssayCluster(…))`.

    With `leases` the cluster is made over those, which run on when it is closed. Else `n_workers` leases that are
    alike are rented by `wanted` for `duration` seconds each, and ended when it is closed; their deposits are the most
    that it can cost, and are held to `budget`, base units of their token, before the first is paid. All pods' images
    need Python with the same version of `distributed` as here; `worker_options` go to each `dask worker`. The number of
    workers stays as it is. Raises RenterError, ChainError when it cannot be made: what was rented for it is ended then.
    """

    def __init__(
        self,
        n_workers: int = LEAST,
        *,
        leases: Sequence[int] = (),
        settings: RenterSettings | None = None,
        wanted: Wanted | None = None,
        order: Order = Order.price,
        duration: int = 3_600,
        budget: int | None = None,
        pod: PodBody | None = None,
        worker_options: Sequence[str] = (),
        tell: Callable[[str], None] = unheard,
        asynchronous: bool = False,
        **options: Any,
    ) -> None:
        self._leases = list(leases)
        self._count = len(self._leases) or n_workers
        if not LEAST <= self._count <= MAX_MEMBERS:
            raise BadInput(f"a cluster has {LEAST} to {MAX_MEMBERS} pods, not {self._count}")
        if len(set(self._leases)) != len(self._leases):
            raise BadInput("a lease is named twice")
        if not self._leases and budget is None:
            raise BadInput("budget: say what the leases may cost at most, base units of their token")
        self._settings, self._wanted, self._order = settings, wanted or Wanted(max_gpus=1), order
        self._duration, self._budget, self._pod = duration, budget or 0, pod
        self._worker_options, self._tell = tuple(worker_options), tell
        self._rented: list[int] = []
        self._stack = AsyncExitStack()
        self._programs: list[PodProgram] = []
        super().__init__(asynchronous=asynchronous, **options)
        if not self.asynchronous:
            self._loop_runner.start()
            self.sync(self._start)

    @property
    def leases(self) -> tuple[int, ...]:
        """Its leases by rank: the scheduler is in the first's pod."""
        return tuple(self._leases)

    def __await__(self) -> Any:
        async def started() -> AssayCluster:
            if self.scheduler_comm is None:
                await self._start()
            return self

        return started().__await__()

    async def _start(self) -> None:
        try:
            settings = self._settings or RenterSettings.load({})
            self._renter = await self._stack.enter_async_context(Renter.connect(settings))
            if not self._leases:
                await self._rent()
            sessions = [(number, await self._renter.session(number)) for number in self._leases]
            address = await self._programs_on(sessions)
            access = await open_access(sessions[0][1], sessions[0][0], settings.data_dir)
            tunnel = await SshTunnel.open(access, SCHEDULER_PORT, address)
            self._stack.push_async_callback(tunnel.close)
            await until_scheduler_answers(tunnel, self._programs)
            self.scheduler_comm = rpc(f"tcp://{HOST}:{tunnel.port}")
            await super()._start()
            await self._until_all_work()
        except BaseException:
            await self._let_go()
            raise

    async def _rent(self) -> None:
        chosen = await self._renter.choose(self._wanted, self._order, self._count, Placement.TOGETHER)
        deposits = [cost(one.rate, max(self._duration, one.min_duration)) for one in chosen]
        if sum(deposits) > self._budget:
            raise BadInput(
                f"budget {self._budget}: {self._count} leases of {self._duration} s take {sum(deposits)} base units"
            )
        for listing, deposit in zip(chosen, deposits, strict=True):
            lease, _ = await self._renter.open(listing, deposit)
            # Known before it is proven and started: whatever breaks off there, it is ended.
            self._rented.append(lease.lease_id)
            await self._renter.resume(lease.lease_id, untold, self._pod, self._tell)
            self._tell(f"lease {lease.lease_id} runs")
        self._leases = list(self._rented)

    async def _programs_on(self, sessions: Sequence[tuple[int, ProviderSession]]) -> str:
        """Joins the pods and starts Dask in them; the scheduler's address among them."""
        joined = await join(sessions, self._tell)
        scheduler = joined.addresses[0]
        self._programs = [await PodProgram.start(*sessions[0], scheduler_command(scheduler))]
        for rank, ((number, session), address) in enumerate(zip(sessions, joined.addresses, strict=True)):
            command = worker_command(scheduler, address, f"lease-{number}", self._worker_options)
            self._programs.append(await PodProgram.start(number, session, command))
            self._tell(f"lease {number}: worker {rank} at {address}")
        return scheduler

    async def _until_all_work(self) -> None:
        for _ in range(LOOKS):
            if len(self.scheduler_info["workers"]) >= self._count:
                return
            await require_running(self._programs)
            await asyncio.sleep(LOOK_S)
        raise Unreachable(f"{len(self.scheduler_info['workers'])} of {self._count} workers came to the scheduler")

    async def _close(self) -> None:
        await super()._close()
        await self._let_go()

    async def _let_go(self) -> None:
        """Ends what this began: programs on leases that run on, and leases that were rented for it."""
        programs, self._programs = self._programs, []
        rented, self._rented = self._rented, []
        for program in programs if not rented else ():
            try:
                await program.stop()
            except RenterError as error:
                self._tell(f"a program of Dask is not stopped: {error}")
        for number in rented:
            try:
                await self._end(number)
            except (RenterError, ChainError) as error:
                self._tell(f"lease {number} is not ended ({error}): `assay end {number}`")
        await self._stack.aclose()

    async def _end(self, number: int) -> None:
        view = await self._renter.view(number)
        if view.lease.status.name in ("PENDING", "ACTIVE") and not view.lease.left_early:
            await self._renter.end(number)
        if await self._renter.refundable(number):
            await self._renter.refund(number)
