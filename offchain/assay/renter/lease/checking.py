"""A lease looked at from inside: what its pod measures and proves, beside its sheet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from assay.chain.contracts.epochs import read_epoch_state
from assay.chain.contracts.leases import Lease
from assay.chain.contracts.profiles import read_profile
from assay.chain.rpc.client import Chain
from assay.protocol.types import DeviceId, Seed
from assay.renter.errors import NoDevice, NotProven, Unreachable
from assay.renter.lease.lease_offers import OpenedOffers
from assay.renter.lease.lease_start import FRESH_EPOCHS
from assay.renter.lease.steps import unheard
from assay.renter.market.discovery import Discovery
from assay.renter.session.pod_check import measure_pod
from assay.renter.session.provider_session import ProviderSession
from assay.sheet.shortfall import CheckLine, compared

if TYPE_CHECKING:
    from assay.renter.session.pod_proof import PodProof


@dataclass(frozen=True, slots=True)
class HowToCheck:
    """`prove` also proves the cards; `wheels` are libraries for that, sent along instead of fetched in the pod; `iperf`
    is the address of a server of iperf3, which the network is measured to.
    """

    prove: bool = True
    wheels: tuple[Path, ...] = ()
    iperf: str = ""
    tell: Callable[[str], None] = field(default=unheard)


EVERYTHING = HowToCheck()


@dataclass(frozen=True, slots=True)
class Checked:
    """`unproven` says why the pod could not prove its cards, empty where it did or was not asked to."""

    lease_id: int
    lines: tuple[CheckLine, ...]
    proofs: tuple[PodProof, ...]
    unproven: str = ""

    @property
    def short(self) -> tuple[str, ...]:
        """Names of what is short of the sheet."""
        return tuple(line.name for line in self.lines if line.short)


class LeaseChecks:
    """Checks leases of one wallet."""

    def __init__(self, chain: Chain, discovery: Discovery, offers: OpenedOffers) -> None:
        self._chain = chain
        self._discovery = discovery
        self._offers = offers

    async def check(self, lease: Lease, session: ProviderSession, how: HowToCheck) -> Checked:
        """Measures, proves, compares. Raises ProofRejected for a proof that does not verify or came too late,
        Unreachable where the image has no Python 3."""
        device_ids = (await self._offers.of(lease)).device_ids
        found = await measure_pod(session, how.iperf)
        lines = compared(await self._discovery.declared_sheet(device_ids), found)
        proofs: list[PodProof] = []
        unproven = ""
        if how.prove:
            try:
                proofs = await self.prove(lease, session, how.wheels, how.tell)
            except NotProven as error:
                unproven = str(error)
        return Checked(lease.lease_id, tuple([*proven_lines(proofs), *lines]), tuple(proofs), unproven)

    async def prove(
        self, lease: Lease, session: ProviderSession, wheels: Sequence[Path], tell: Callable[[str], None]
    ) -> list[PodProof]:
        """Has the pod prove its cards. Raises as `PodProver.prove`."""
        # Here: the proof's libraries cost every other command most of a second.
        from assay.renter.session.pod_proof import PodProver

        kept = await self._offers.file_of(lease)
        device_ids = kept.offer.device_ids
        known = await self._discovery.devices()
        if missing := [one for one in device_ids if one not in known]:
            raise NoDevice(f"device 0x{missing[0].hex()} is not in the registry")
        devices = [known[one] for one in device_ids]
        profiles = await asyncio.gather(*(read_profile(self._chain, one.profile_id) for one in devices))
        expected = await self._expected(device_ids, kept.score_gops)
        pairs = list(zip(devices, profiles, strict=True))
        return await PodProver(session, lease.lease_id, await self._epoch_seed(), pairs, expected, wheels, tell).prove()

    async def _expected(self, device_ids: Sequence[DeviceId], handed_over: int) -> Mapping[bytes, int]:
        """What each showed before the lease: in the newest report that counts, or at the handover."""
        reported = await self._discovery.scores(device_ids)
        return {one: max(reported.get(one, 0), handed_over) for one in device_ids}

    async def _epoch_seed(self) -> Seed:
        current = int(await self._chain.call("EpochOracle", "currentEpoch", at="latest"))
        for epoch in range(current, max(-1, current - FRESH_EPOCHS - 1), -1):
            state = await read_epoch_state(self._chain, epoch, "latest")
            if state.opened_at:
                return state.epoch_seed
        raise Unreachable(f"none of the epochs up to {current} was opened: there is no seed to prove under")


def proven_lines(proofs: Sequence[PodProof]) -> list[CheckLine]:
    """The weakest of the cards stands for all."""
    if not proofs:
        return []
    from assay.proof.pod.judgement import is_slow, memory_shown
    from assay.proof.probe.layout import claimed_mib

    gops, expected = min(one.gops for one in proofs), min(one.expected_gops for one in proofs)
    slow = any(is_slow(one.profile, one.times, one.expected_gops) for one in proofs)
    lines = [CheckLine("scoreGops", expected, gops, "Gop/s", "proven", slow)]
    profiles = [one.profile for one in proofs]
    if all(profile.W for profile in profiles):
        claimed = min(claimed_mib(profile) for profile in profiles)
        shown = all(memory_shown(one.profile, one.times) for one in proofs)
        lines.append(CheckLine("memoryMib", claimed, claimed if shown else 0, "MiB", "proven", not shown))
    return lines
