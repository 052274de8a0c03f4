"""Emission of an epoch: integers, floor, remainder to nobody; cumulative by account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from assay.proof.probe.layout import claimed_mib
from assay.protocol.epochs import Emission
from assay.protocol.leaves import DeviceLeaf, Flag
from assay.protocol.profile import Profile
from assay.protocol.types import DeviceId
from assay.validator.rules.values import FULL_UPTIME_BPS, Presence, Seat

MIN_SEATS = 4  # below this a set earns nothing, and neither do the devices it measured


def earns(result: DeviceLeaf, profile: Profile) -> bool:
    """Whether a line earns: passed in time, and the memory that the profile claims was shown in time.

    A profile without a window earns nothing, nor does one whose window is less than a mebibyte: its lines would not say
    whether it was shown.
    """
    return result.flags == Flag.PASSED and 0 < claimed_mib(profile) == result.memory_mib


def provider_rewards(
    results: Iterable[DeviceLeaf],
    profile_of: Callable[[DeviceId], Profile],
    provider_of: Callable[[DeviceId], str],
    emission: Emission,
    slashed: Collection[DeviceId] = (),
) -> dict[str, int]:
    """Shares of the provider pool: by credit over devices that earn and are not `slashed`,
    times uptime, capped per credit.
    """
    earning = [r for r in results if earns(r, profile_of(r.device_id)) and r.device_id not in slashed]
    credits = sum(profile_of(result.device_id).credit for result in earning)
    rewards: Counter[str] = Counter()
    if credits == 0:
        return {}
    rate = min(emission.provider_pool // credits, emission.max_per_credit)
    for result in earning:
        credit = profile_of(result.device_id).credit
        rewards[provider_of(result.device_id)] += rate * credit * result.uptime_bps // FULL_UPTIME_BPS
    return dict(rewards)


def validator_rewards(seats: Sequence[Seat], presence: Presence, emission: Emission) -> dict[str, int]:
    """Shares of the validator pool: half for the seal of this epoch, half for
    the report of the one before.
    """
    reported = {account for i, account in enumerate(presence.report_accounts) if presence.report_signers >> i & 1}
    rewards: Counter[str] = Counter()
    for i, seat in enumerate(seats):
        present = (presence.seal_signers >> i & 1) + (seat.account in reported)
        rewards[seat.account] += emission.validator_pool * present // (2 * len(seats))
    return dict(rewards)


def cumulative_rewards(
    previous: Mapping[str, int],
    seats: Sequence[Seat],
    results: Sequence[DeviceLeaf],
    profile_of: Callable[[DeviceId], Profile],
    provider_of: Callable[[DeviceId], str],
    presence: Presence,
    emission: Emission,
    slashed: Collection[DeviceId] = (),
) -> dict[str, int]:
    """Totals by account after this epoch: every account of the tree before, every seat, every device's
    provider. Devices that were `slashed` before the report's cut-off earn nothing.

    No total ever falls, and no account disappears: the tree that shrinks is a fault a contract can check.
    """
    totals = dict(previous)
    for account in (*(seat.account for seat in seats), *(provider_of(r.device_id) for r in results)):
        totals.setdefault(account, 0)
    if len(seats) < MIN_SEATS:
        return totals
    for earned in (
        provider_rewards(results, profile_of, provider_of, emission, slashed),
        validator_rewards(seats, presence, emission),
    ):
        for account, amount in earned.items():
            totals[account] += amount
    return totals
