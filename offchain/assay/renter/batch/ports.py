"""What a batch acts with: the market and its wallet, and the place of one lease in which jobs run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from assay.chain.contracts.leases import Lease
from assay.renter.batch.job_list import BatchJob
from assay.renter.market.listing import Listing
from assay.renter.session.provider_session import JobState


class JobPlace(Protocol):
    """The workspace of one lease, as `ProviderSession` has it."""

    async def put_folder(self, path: str, mode: int) -> None: ...
    async def create_job(
        self,
        command: Sequence[str],
        files: Mapping[str, bytes],
        environment: Mapping[str, str],
        limits: Mapping[str, Any],
        image: str | None = None,
    ) -> str: ...
    async def jobs(self) -> list[JobState]: ...
    async def job(self, job_id: str) -> JobState: ...
    async def stop_job(self, job_id: str) -> JobState: ...
    def output(self, job_id: str, offset: int = 0, follow: bool = False) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True)
class OpenedLease:
    """A lease that the chain has, as its log tells."""

    lease_id: int
    offer_hash: bytes
    deposit: int


class BatchMarket(Protocol):
    """What is asked of the market and the wallet. Amounts in base units; all raise RenterError, ChainError."""

    async def settle(self) -> None:
        """Waits until everything that was ever sent is in a block, or never will be."""

    async def block(self) -> int:
        """The number of the newest block."""

    async def opened_since(self, block: int) -> list[OpenedLease]:
        """This wallet's leases from that block on."""

    async def offers(self) -> list[Listing]:
        """Those that would do, proven."""

    async def open(self, listing: Listing, deposit: int) -> int:
        """Pays a deposit in; the lease's number."""

    async def start(self, lease_id: int) -> None:
        """Has a lease that is pending prove itself and start; one that cannot is cancelled, its deposit paid back."""

    async def lease(self, lease_id: int) -> Lease: ...

    async def now(self) -> int:
        """The time of the newest block."""

    async def top_up(self, lease_id: int, amount: int) -> None: ...
    async def end(self, lease_id: int) -> None: ...

    async def refund(self, lease_id: int) -> int:
        """Collects what is due, attested downtime too; how much that was."""

    async def place(self, lease_id: int) -> JobPlace: ...


@dataclass(frozen=True)
class BatchWork:
    """What is done around a job. `prepare` puts into a lease's workspace what all jobs need; `collect` fetches a folder
    of a lease into one here, no more than it may; `check` says what is wrong with a job's results, empty for nothing.
    """

    prepare: Callable[[Any], Awaitable[None]]
    collect: Callable[[Any, str, Path], Awaitable[None]]
    check: Callable[[BatchJob, Path], Awaitable[str]]
