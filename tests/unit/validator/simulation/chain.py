"""A model of the oracle: blocks of one second, final two blocks behind, the
contract's checks on phases and quorums.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from assay.chain.rpc.blocks import Block
from assay.network.origins import Endpoint
from assay.protocol import quorum
from assay.protocol.epochs import Emission, EpochState, Phase, Timing
from assay.protocol.keccak import keccak
from assay.protocol.messages import EpochReport, Seal
from assay.protocol.profile import NAMED, Profile
from assay.protocol.seeds import epoch_seed
from assay.protocol.signing import Domain, signed_by
from assay.validator.ports import ReportedEpoch, Transaction
from assay.validator.rules.observations import IDLE, lease_at
from assay.validator.rules.values import EpochDevice, LeasePeriod, Seat

from .virtual_time import START

ORACLE = "0x" + "11" * 20
DOMAIN = Domain(31_337, ORACLE)
EMPTY = EpochState(0)
PROFILE = replace(NAMED["micro"], deadline_ms=3_000)
FINALITY = 2
NEVER = 1 << 40
REWARDED_SEATS = 4


class Reverted(Exception):
    """The model refuses a transaction."""


@dataclass
class Chain:
    """One chain for all. `states[n]` are the epochs after block n; `dropping` loses transactions."""

    timing: Timing
    seats: tuple[Seat, ...]
    devices: tuple[EpochDevice, ...]
    profiles: dict[int, Profile] = field(default_factory=lambda: {PROFILE.id: PROFILE})
    emission_: Emission = field(default_factory=lambda: Emission(10**20, 10**19, 10**18))
    blocks: list[Block] = field(default_factory=list)
    states: list[dict[int, EpochState]] = field(default_factory=list)
    happened: dict[tuple[str, int], int] = field(default_factory=dict)  # (event, epoch) -> block
    pending: list = field(default_factory=list)
    mined: list[tuple[str, int, str]] = field(default_factory=list)  # (name, epoch, sender)
    rounds: dict[tuple[int, bool], int] = field(default_factory=dict)  # (epoch, is a report) -> accepted round
    fork: int = 0
    vetoed: dict[int, int] = field(default_factory=dict)  # epoch -> block
    slashed: dict[bytes, int] = field(default_factory=dict)  # device -> block
    leases: dict[bytes, tuple[LeasePeriod, ...]] = field(default_factory=dict)
    checked_in: dict[tuple[int, str], int] = field(default_factory=dict)  # (epoch, account) -> block

    async def mine(self) -> None:
        """A block a second, for ever."""
        while True:
            self._mine_one()
            await asyncio.sleep(1)

    def _mine_one(self) -> None:
        number = len(self.blocks)
        timestamp = int(START + asyncio.get_running_loop().time())
        state = dict(self.states[-1]) if self.states else {}
        waiting, self.pending = self.pending, []
        block = Block(
            number, keccak(b"block" + bytes([self.fork]) + number.to_bytes(8, "big")), bytes(32), timestamp, 1
        )
        for name, epoch, sender, apply, done in waiting:
            try:
                apply(state, block)
                self.mined.append((name, epoch, sender))
                self.happened[name, epoch] = number
                mined = True
            except Reverted:
                mined = False
            if not done.done():  # its sender may have been killed
                done.set_result(mined)
        self.blocks.append(block)
        self.states.append(state)

    def reorganise(self, depth: int) -> None:
        """The last `depth` blocks never were, nor anything in them; deeper than finality where `depth` is above it."""
        self.fork += 1
        del self.blocks[-depth:], self.states[-depth:]
        self.happened = {key: block for key, block in self.happened.items() if block < len(self.blocks)}
        for _ in range(depth):
            self._mine_one()

    def since(self, epoch: int, block: Block) -> int:
        return block.timestamp - self.timing.genesis - epoch * self.timing.epoch_length

    def apply_open(self, epoch: int):
        def apply(state, block):
            if state.get(epoch, EMPTY).phase != Phase.NONE or not 0 <= self.since(epoch, block) <= self.timing.open_by:
                raise Reverted
            beacon = keccak(b"beacon" + epoch.to_bytes(8, "big") + block.hash)
            seed = epoch_seed(DOMAIN.chain_id, ORACLE, epoch, beacon)
            state[epoch] = replace(EMPTY, phase=Phase.OPEN, set_id=1, beacon=beacon, epoch_seed=seed)

        return apply

    def apply_seal(self, seal: Seal, mask: int, signatures: bytes):
        def apply(state, block):
            known = state.get(seal.epoch, EMPTY)
            if known.phase != Phase.OPEN or self.since(seal.epoch, block) > self.timing.seal_by:
                raise Reverted
            full = replace(seal, epoch_seed=known.epoch_seed)
            self._check_quorum(full.digest(DOMAIN), mask, signatures)
            state[seal.epoch] = replace(
                known,
                phase=Phase.SEALED,
                seal_root=seal.seal_root,
                seal_count=seal.count,
                seal_block=block.number,
                seal_signers=mask,
            )
            self.rounds[seal.epoch, False] = seal.round

        return apply

    def apply_draw(self, epoch: int):
        def apply(state, block):
            known = state.get(epoch, EMPTY)
            if known.phase != Phase.SEALED or block.number <= known.seal_block + self.timing.draw_delay:
                raise Reverted
            if self.since(epoch, block) > self.timing.draw_by:
                raise Reverted
            drawn = self.blocks[known.seal_block + self.timing.draw_delay].hash
            state[epoch] = replace(known, phase=Phase.DRAWN, rho=keccak(drawn + known.seal_root))

        return apply

    def apply_report(self, report: EpochReport, mask: int, signatures: bytes):
        def apply(state, block):
            known = state.get(report.epoch, EMPTY)
            if known.phase != Phase.DRAWN or self.since(report.epoch, block) > self.timing.report_by:
                raise Reverted
            self._check_quorum(report.digest(DOMAIN), mask, signatures)
            if report.rho != known.rho:
                raise Reverted
            self._check_rewards(state, report, block)
            state[report.epoch] = replace(
                known,
                phase=Phase.REPORTED,
                devices_root=report.devices_root,
                report_signers=mask,
                rewards_root=report.rewards_root,
                rewards_total=report.rewards_total,
                data_hash=report.data_hash,
            )
            self.rounds[report.epoch, True] = report.round

        return apply

    def apply_add(self, epoch: int, is_report: bool, round_: int, seat: int, signature: bytes):
        def apply(state, block):
            known = state.get(epoch, EMPTY)
            if known.phase < (Phase.REPORTED if is_report else Phase.SEALED):
                raise Reverted
            if is_report:
                message = EpochReport(
                    epoch,
                    1,
                    round_,
                    known.rho,
                    known.devices_root,
                    known.rewards_root,
                    known.rewards_total,
                    known.data_hash,
                )
            else:
                message = Seal(epoch, 1, round_, known.epoch_seed, known.seal_root, known.seal_count)
            if not signed_by(message.digest(DOMAIN), signature, self.seats[seat].signer):
                raise Reverted
            name = "report_signers" if is_report else "seal_signers"
            state[epoch] = replace(known, **{name: getattr(known, name) | 1 << seat})

        return apply

    def apply_void(self, epoch: int):
        def apply(state, block):
            known, since, t = state.get(epoch, EMPTY), self.since(epoch, block), self.timing
            closes = {Phase.NONE: t.open_by, Phase.OPEN: t.seal_by, Phase.SEALED: t.draw_by, Phase.DRAWN: t.report_by}
            if known.phase not in closes or since <= closes[known.phase]:
                raise Reverted
            state[epoch] = replace(known, phase=Phase.VOID)

        return apply

    def apply_check_in(self, epoch: int, account: str):
        def apply(state, block):
            known, since = state.get(epoch, EMPTY), self.since(epoch, block)
            if known.phase not in (Phase.OPEN, Phase.VOID) or known.seal_block:
                raise Reverted
            if not self.timing.seal_by < since <= 2 * self.timing.epoch_length or (epoch, account) in self.checked_in:
                raise Reverted
            self.checked_in[epoch, account] = block.number

        return apply

    def total_that_counts(self, state, block: Block) -> int:
        """Of the last report that was not vetoed."""
        standing = [e for e, s in state.items() if s.phase == Phase.REPORTED and self.stands(e, block)]
        return state[max(standing)].rewards_total if standing else 0

    def stands(self, epoch: int, at: Block) -> bool:
        """Whether no veto of the epoch's report had come by a block."""
        return self.vetoed.get(epoch, NEVER) > at.number

    def _check_rewards(self, state, report: EpochReport, block: Block) -> None:
        before = self.total_that_counts(state, block)
        emission = self.emission_.provider_pool + self.emission_.validator_pool
        if not before <= report.rewards_total <= before + (emission if len(self.seats) >= REWARDED_SEATS else 0):
            raise Reverted

    def evictable(self, account: str, now: int, idle_epochs: int) -> bool:
        """Whether a seat left out the latest so many epochs that count, as ValidatorSet reckons in epoch `now`."""
        bit = 1 << next(i for i, seat in enumerate(self.seats) if seat.account == account)
        left_out = []
        for epoch in range(now - 2, -1, -1):
            state = self.states[-1].get(epoch, EMPTY)
            if state.phase == Phase.NONE:
                continue
            if state.seal_block:
                signed = state.seal_signers & bit and (state.phase != Phase.REPORTED or state.report_signers & bit)
                left_out.append(not signed)
            elif (epoch, account) not in self.checked_in:
                left_out.append(True)
        return len(left_out) >= idle_epochs and all(left_out[:idle_epochs])

    def _check_quorum(self, digest: bytes, mask: int, signatures: bytes) -> None:
        signers = [i for i in range(len(self.seats)) if mask >> i & 1]
        if mask >> len(self.seats) or len(signers) < quorum.quorum(len(self.seats)):
            raise Reverted
        if len(signatures) != 64 * len(signers):
            raise Reverted
        for place, seat in enumerate(signers):
            if not signed_by(digest, signatures[64 * place : 64 * place + 64], self.seats[seat].signer):
                raise Reverted


class Reader:
    """The reader's port over the model."""

    domain = DOMAIN
    unread = 0
    claim_delay = 60

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.timing = chain.timing

    async def head(self) -> Block:
        return self._chain.blocks[-1]

    async def final(self) -> Block:
        return self._chain.blocks[max(0, len(self._chain.blocks) - 1 - FINALITY)]

    async def epoch(self, epoch: int, at: Block) -> EpochState:
        return self._chain.states[at.number].get(epoch, EMPTY)

    async def seats(self, set_id: int, at: Block) -> tuple[Seat, ...]:
        return self._chain.seats

    async def current_seats(self, at: Block) -> tuple[Seat, ...]:
        return self._chain.seats

    async def seat_endpoints(self, at: Block) -> dict[str, Endpoint]:
        return {seat.account: Endpoint("http://localhost") for seat in self._chain.seats}

    async def devices(self, at: Block) -> tuple[EpochDevice, ...]:
        found = []
        for device in self._chain.devices:
            leased = device.leased or lease_at(self._chain.leases.get(device.device_id, ()), at.timestamp) != IDLE
            if leased or self._chain.slashed.get(device.device_id, NEVER) > at.number:
                found.append(replace(device, leased=leased))
        return tuple(found)

    async def slashed(self, at: Block) -> frozenset[bytes]:
        return frozenset(device for device, block in self._chain.slashed.items() if block <= at.number)

    async def lease_periods(self, since: int, final: Block, head: Block) -> dict[bytes, tuple[LeasePeriod, ...]]:
        throughout = {
            d.device_id: (LeasePeriod(n, 0, NEVER),) for n, d in enumerate(self._chain.devices, 1) if d.leased
        }
        known = {d: tuple(p for p in ps if p.start <= head.timestamp) for d, ps in self._chain.leases.items()}
        return {**throughout, **known}

    async def profiles(self, at: Block) -> dict[int, Profile]:
        return self._chain.profiles

    async def emission(self, epoch: int, at: Block) -> Emission:
        return self._chain.emission_

    async def opened_block(self, epoch: int, until: Block) -> Block | None:
        return self._block_of("openEpoch", epoch, until)

    async def drawn_block(self, epoch: int, until: Block) -> Block | None:
        return self._block_of("draw", epoch, until)

    async def accepted_round(self, epoch: int, is_report: bool, until: Block) -> int | None:
        return self._chain.rounds.get((epoch, is_report))

    async def has_checked_in(self, account: str, epoch: int, at: Block) -> bool:
        return self._chain.checked_in.get((epoch, account), NEVER) <= at.number

    async def reported_block(self, epoch: int, until: Block) -> Block | None:
        return self._block_of("report", epoch, until)

    async def reports(self, before_epoch: int, at: Block) -> list[ReportedEpoch]:
        state = self._chain.states[at.number]
        standing = sorted(
            (
                e
                for e, s in state.items()
                if e < before_epoch and s.phase == Phase.REPORTED and self._chain.stands(e, at)
            ),
            reverse=True,
        )
        blocks = {e: self._chain.blocks[self._chain.happened["report", e]] for e in standing}
        return [ReportedEpoch(e, state[e].rewards_root, blocks[e]) for e in standing]

    def _block_of(self, name: str, epoch: int, until: Block) -> Block | None:
        number = self._chain.happened.get((name, epoch))
        return None if number is None or number > until.number else self._chain.blocks[number]


class Writer:
    """The writer's port: simulated on the head, mined in the next block."""

    def __init__(self, chain: Chain, sender: str) -> None:
        self._chain, self._sender = chain, sender

    async def open_epoch(self, epoch: int) -> Transaction | None:
        return await self._send("openEpoch", epoch, self._chain.apply_open(epoch))

    async def seal(self, seal: Seal, signers: int, signatures: bytes) -> Transaction | None:
        return await self._send("seal", seal.epoch, self._chain.apply_seal(seal, signers, signatures))

    async def draw(self, epoch: int) -> Transaction | None:
        return await self._send("draw", epoch, self._chain.apply_draw(epoch))

    async def report(self, report: EpochReport, signers: int, signatures: bytes) -> Transaction | None:
        return await self._send("report", report.epoch, self._chain.apply_report(report, signers, signatures))

    async def add_signature(
        self, epoch: int, is_report: bool, round_: int, seat: int, signature: bytes
    ) -> Transaction | None:
        apply = self._chain.apply_add(epoch, is_report, round_, seat, signature)
        return await self._send("addSignatures", epoch, apply)

    async def void(self, epoch: int) -> Transaction | None:
        return await self._send("voidEpoch", epoch, self._chain.apply_void(epoch))

    async def check_in(self, epoch: int) -> Transaction | None:
        return await self._send("checkIn", epoch, self._chain.apply_check_in(epoch, self._sender))

    async def _send(self, name: str, epoch: int, apply) -> Transaction | None:
        checked_in = dict(self._chain.checked_in)
        try:
            apply(dict(self._chain.states[-1]), self._chain.blocks[-1])
        except Reverted:
            return None
        finally:
            self._chain.checked_in = checked_in
        done = asyncio.get_running_loop().create_future()
        self._chain.pending.append((name, epoch, self._sender, apply, done))
        return Transaction("0x" + name, 21_000) if await done else None
