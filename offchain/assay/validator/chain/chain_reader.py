"""The chain as the phases see it: typed state at fixed blocks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from assay.chain.contracts.devices import DeviceDirectory, DeviceStatus
from assay.chain.contracts.epochs import read_emission, read_epoch_state, read_timing
from assay.chain.contracts.leases import active_lease
from assay.chain.contracts.profiles import read_profiles
from assay.chain.contracts.rewards import DISTRIBUTOR, read_claim_delay
from assay.chain.contracts.seats import SeatDirectory
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import Chain
from assay.network.origins import Endpoint
from assay.protocol.epochs import Emission, EpochState, Timing
from assay.protocol.profile import Profile
from assay.protocol.types import DeviceId
from assay.validator.chain.lease_periods import LeasePeriods
from assay.validator.chain.oracle_events import EventLog, OracleEvents
from assay.validator.ports import ReportedEpoch
from assay.validator.rules.values import EpochDevice, LeasePeriod, Seat

NO_EMISSION = Emission(0, 0, 0)
CHECK_IN_BITS = 64


class ContractReader:
    """Reads through `assay.chain`. Use `ContractReader.open`."""

    def __init__(self, chain: Chain, timing: Timing, claim_delay: int) -> None:
        self.domain = chain.domain("EpochOracle")
        self.timing = timing
        self.claim_delay = claim_delay
        self._chain = chain
        self._events = OracleEvents(chain)
        self._devices = DeviceDirectory(chain)
        self._retirements = EventLog(chain, "DeviceRegistry", ("DeviceRetired",))
        self._leases = LeasePeriods(chain)
        self._seats = SeatDirectory(chain)
        self._lock = asyncio.Lock()

    @classmethod
    async def open(cls, chain: Chain) -> ContractReader:
        """Reads what never changes. Raises ChainError."""
        pays = DISTRIBUTOR in chain.deployment.contracts
        return cls(chain, await read_timing(chain), await read_claim_delay(chain) if pays else 0)

    @property
    def unread(self) -> int:
        return self._chain.unread

    async def head(self) -> Block:
        return await self._chain.head()

    async def final(self) -> Block:
        return await self._chain.finalised()

    async def epoch(self, epoch: int, at: Block) -> EpochState:
        return await read_epoch_state(self._chain, epoch, at)

    async def seats(self, set_id: int, at: Block) -> tuple[Seat, ...]:
        rows = await self._chain.call("ValidatorSet", "seatsOf", set_id, at=at)
        return tuple(Seat(row.account, row.signer) for row in rows)

    async def current_seats(self, at: Block) -> tuple[Seat, ...]:
        rows = await self._chain.call("ValidatorSet", "currentSeats", at=at)
        return tuple(Seat(row.account, row.signer) for row in rows)

    async def seat_endpoints(self, at: Block) -> Mapping[str, Endpoint]:
        async with self._lock:
            seats = await self._seats.current(at)
        return {seat.account: Endpoint(seat.endpoint, seat.tls_fingerprint) for seat in seats}

    async def devices(self, at: Block) -> tuple[EpochDevice, ...]:
        """Active devices, and slashed ones that are still leased: the escrow lets nobody retire a leased device."""
        async with self._lock:
            known = await self._devices.refresh(at)
        asked = [d for d in known.values() if d.status in (DeviceStatus.ACTIVE, DeviceStatus.SLASHED)]
        leases = await asyncio.gather(*(active_lease(self._chain, d.device_id, at) for d in asked))
        return tuple(
            EpochDevice(d.device_id, d.provider, d.device_key, d.profile_id, d.endpoint, lease != 0, d.tls_fingerprint)
            for d, lease in zip(asked, leases, strict=True)
            if d.status is DeviceStatus.ACTIVE or lease != 0
        )

    async def slashed(self, at: Block) -> frozenset[DeviceId]:
        async with self._lock:
            events = await self._retirements.until(at)
        return frozenset(e.args["deviceId"] for e in events if e.args["status"] == DeviceStatus.SLASHED)

    async def lease_periods(self, since: int, final: Block, head: Block) -> Mapping[DeviceId, Sequence[LeasePeriod]]:
        return await self._leases.since(since, final, head)

    async def profiles(self, at: Block) -> Mapping[int, Profile]:
        # Each time: closing a profile takes its credit away.
        return await read_profiles(self._chain, at)

    async def emission(self, epoch: int, at: Block) -> Emission:
        if DISTRIBUTOR not in self._chain.deployment.contracts:
            return NO_EMISSION
        return await read_emission(self._chain, epoch, at)

    async def opened_block(self, epoch: int, until: Block) -> Block | None:
        async with self._lock:
            return await self._events.block_of("EpochOpened", epoch, until)

    async def drawn_block(self, epoch: int, until: Block) -> Block | None:
        async with self._lock:
            return await self._events.block_of("EpochDrawn", epoch, until)

    async def accepted_round(self, epoch: int, is_report: bool, until: Block) -> int | None:
        async with self._lock:
            return await self._events.accepted_round("EpochReported" if is_report else "EpochSealed", epoch, until)

    async def has_checked_in(self, account: str, epoch: int, at: Block) -> bool:
        member = await self._chain.call("ValidatorSet", "member", account, at=at)
        back = member.checkedIn - 1 - epoch
        return 0 <= back < CHECK_IN_BITS and bool(member.checkIns >> back & 1)

    async def reported_block(self, epoch: int, until: Block) -> Block | None:
        async with self._lock:
            return await self._events.block_of("EpochReported", epoch, until)

    async def reports(self, before_epoch: int, at: Block) -> Sequence[ReportedEpoch]:
        async with self._lock:
            return await self._events.reports(before_epoch, at)
