"""The report: a function of the seal and of the batches that the leader names, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import pairwise

from assay.proof.probe.layout import claimed_mib
from assay.protocol import quorum
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, Flag, ObservationLeaf, SealedLeaf
from assay.protocol.profile import Profile
from assay.protocol.types import NO_RHO, NO_ROOT, DeviceId, Rho, Root
from assay.validator.rules import committees
from assay.validator.rules.values import NO_SEAL_INDEX, Batch, RuleError

TESTIMONY = (Flag.BAD_OPENING, Flag.UNREACHABLE, Flag.NO_OPENING, Flag.UNSCORED)


def in_seat_order(batches: Iterable[Batch]) -> tuple[Batch, ...]:
    """One batch a seat, ascending by seat. Raises RuleError where a seat is named twice."""
    ordered = sorted(batches, key=lambda batch: batch.seat)
    for earlier, later in pairwise(ordered):
        if earlier.seat == later.seat:
            raise RuleError(f"two batches of seat {later.seat}: a report names one of each seat")
    return tuple(ordered)


def data_hash(batches: Iterable[Batch]) -> bytes:
    """H of the named batches' digests in seat order."""
    return keccak(b"".join(batch.digest for batch in in_seat_order(batches)))


def median_of_honest(values: Iterable[int], faults: int) -> int:
    """The (f+1)-th smallest: between two honest values while at most `faults` of at least 2f+1 lie."""
    return sorted(values)[faults]


def left_out(held_seats: Collection[int], named: Iterable[Batch]) -> tuple[int, ...]:
    """Seats whose batch a signer held at the cut-off and the report does not name, ascending."""
    return tuple(sorted(set(held_seats) - {batch.seat for batch in named}))


def device_leaves(
    epoch: int,
    sealed: Sequence[SealedLeaf],
    batches: Iterable[Batch],
    profile_of: Callable[[DeviceId], Profile | None],
    seats: int,
    rho: Rho = NO_RHO,
) -> tuple[DeviceLeaf, ...]:
    """Lines of the report, ascending by device. `rho` draws the committees where there are any.

    A line stands for every sealed device and for every other enrolled one that at least f+1 batches speak of.
    `profile_of` gives the profile of a device at the block that opened the epoch, None for one not enrolled.

    Raises RuleError where fewer than a quorum of batches is named or a sealed device is not enrolled.
    """
    named = in_seat_order(batches)
    if len(named) < quorum.quorum(seats):
        raise RuleError(f"{len(named)} batches named: a quorum of {seats} seats is {quorum.quorum(seats)}")
    said: dict[DeviceId, dict[int, ObservationLeaf]] = {}
    for batch in named:
        for leaf in batch.leaves:
            said.setdefault(leaf.device_id, {})[batch.seat] = leaf
    position = {leaf.device_id: i for i, leaf in enumerate(sealed)}
    least = quorum.faults(seats) + 1
    unsealed = (d for d, leaves in said.items() if len(leaves) >= least and d not in position)
    lines = []
    for device_id in sorted((*position, *unsealed)):
        profile = profile_of(device_id)
        if profile is not None:
            index = position.get(device_id)
            root = None if index is None else sealed[index].result_root
            votes = said.get(device_id, {})
            size = committees.committee_size(seats, len(sealed))
            if index is not None and size < seats:
                members = committees.committee(rho, device_id, seats, size)
                line = _Line.of_committee([votes[s] for s in sorted(members & votes.keys())], root, profile)
            else:
                line = _Line(list(votes.values()), root, profile, quorum.faults(seats), quorum.quorum(seats))
            lines.append(line.leaf(epoch, device_id, NO_SEAL_INDEX if index is None else index))
        elif device_id in position:
            raise RuleError(f"sealed device 0x{device_id.hex()} is not enrolled")
    return tuple(lines)


class _Line:
    """What the batches together say of one device."""

    def __init__(
        self,
        said: Sequence[ObservationLeaf],
        root: Root | None,
        profile: Profile,
        faults: int,
        needed: int,
    ) -> None:
        self._said, self._root, self._profile = said, root, profile
        self._faults, self._needed = faults, needed
        self._of_root = [leaf for leaf in said if leaf.result_root == root]

    @classmethod
    def of_committee(cls, said: Sequence[ObservationLeaf], root: Root | None, profile: Profile) -> _Line:
        """Where fewer than half of those who spoke lie, the middle value is an honest one's or between two."""
        return cls(said, root, profile, max(0, len(said) - 1) // 2, committees.threshold(len(said)))

    def leaf(self, epoch: int, device_id: DeviceId, seal_index: int) -> DeviceLeaf:
        flags, score = self._flags_and_score()
        return DeviceLeaf(
            epoch=epoch,
            device_id=device_id,
            seal_index=seal_index,
            profile=self._profile.id,
            score_gops=score,
            memory_mib=claimed_mib(self._profile) if flags & Flag.PASSED and self._memory_shown() else 0,
            uptime_bps=self._uptime_bps(),
            flags=int(flags),
            result_root=self._root or NO_ROOT,
        )

    def _flags_and_score(self) -> tuple[Flag, int]:
        if self._root is None:
            leased = self._believed(Flag.LEASED)
            return (Flag.LEASED, 0) if leased else (self._testimony(), 0)
        if sum(1 for leaf in self._of_root if leaf.flags & Flag.PASSED) < self._needed:
            return self._testimony(), 0
        times = [leaf.elapsed_us for leaf in self._of_root if leaf.elapsed_us > 0]
        if len(times) < self._needed:
            return Flag.PASSED | Flag.UNSCORED, 0
        elapsed_us = median_of_honest(times, self._faults)
        late = Flag.LATE if elapsed_us > self._profile.deadline_ms * 1000 else Flag.NONE
        return Flag.PASSED | late, self._profile.score_gops(elapsed_us)

    def _memory_shown(self) -> bool:
        """As many as pass a device found its lanes right, and more than f had them in time: one of those is honest."""
        right = [leaf for leaf in self._of_root if leaf.flags & Flag.PASSED and leaf.flags & Flag.MEMORY]
        return len(right) >= self._needed and sum(1 for leaf in right if leaf.flags & Flag.PROMPT) > self._faults

    def _testimony(self) -> Flag:
        flags = Flag.NONE
        for flag in TESTIMONY:
            if self._believed(flag):
                flags |= flag
        return flags

    def _believed(self, flag: Flag) -> bool:
        # More than f say so: at least one of them is honest.
        return sum(1 for leaf in self._said if leaf.flags & flag) > self._faults

    def _uptime_bps(self) -> int:
        if len(self._said) <= self._faults:
            return 0
        return median_of_honest((min(leaf.uptime_bps, 10_000) for leaf in self._said), self._faults)
