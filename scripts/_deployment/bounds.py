"""What the contracts and the market assume of parameters, held against a file before anything is deployed.

Most of it a constructor asserts too, but only after the contracts before it have been paid for. The rest no contract
can see: the time between blocks, and what a processor does.
"""

from __future__ import annotations

from collections.abc import Iterator

from scripts._deployment.parameters import Parameters, Profile

LOCAL_CHAIN = 31337
DAY = 86_400
MIN_TIMELOCK_DELAY = 2 * DAY
MIN_ANSWER_WINDOW = DAY
ERAS = 64  # of the emission; each emits half of what the one before did
WINDOW_BITS = 64  # of the escrow's bitmap of epochs whose downtime was refunded
# Multiplications a second that take an accelerator; many-core processors stay below.
BEYOND_PROCESSORS = 10**13
# Blocks that may be missed of those between a seal and its draw: one in eight, and those of the two transactions.
MISSED_SHARE, OWN_BLOCKS = 8, 2


def out_of_bounds(p: Parameters) -> list[str]:
    """One line for each value that must not be deployed, with its key; empty where all is well."""
    return [*_delays(p), *_epochs(p), *_profiles(p), *_emission(p), *_leases(p)]


def blocks_to_draw(draw_delay: int) -> int:
    """Blocks that must fit between the last second of a seal and the last of its draw."""
    return draw_delay + draw_delay // MISSED_SHARE + OWN_BLOCKS


def work(profile: Profile) -> int:
    """Multiplications of one proof."""
    return profile.M * profile.N * profile.K * profile.T


def _delays(p: Parameters) -> Iterator[str]:
    g, e, r = p.governance, p.epochs, p.rewards
    if p.chainId != LOCAL_CHAIN and g.timelockDelay < MIN_TIMELOCK_DELAY:
        yield (
            f"governance.timelockDelay: {g.timelockDelay} s; decisions must be seen {MIN_TIMELOCK_DELAY} s ahead on "
            f"any chain but {LOCAL_CHAIN}"
        )
    if g.timelockDelay > g.longestDelay:
        yield f"governance.timelockDelay: {g.timelockDelay} s is above governance.longestDelay, {g.longestDelay} s"
    if p.stakes.slashHold <= g.longestDelay:
        yield (
            f"stakes.slashHold: {p.stakes.slashHold} s; with governance.longestDelay at {g.longestDelay} s the "
            "timelock would come too late to give slashed stake back"
        )
    if r.claimDelay >= r.longClaimDelay:
        yield f"rewards.longClaimDelay: {r.longClaimDelay} s is not above rewards.claimDelay, {r.claimDelay} s"
    if r.longClaimDelay <= g.longestDelay:
        yield (
            f"rewards.longClaimDelay: {r.longClaimDelay} s; with governance.longestDelay at {g.longestDelay} s the "
            "timelock would come too late to veto a report"
        )
    if r.longClaimDelay + e.reportBy > e.proofWindow:
        yield (
            f"rewards.longClaimDelay: {r.longClaimDelay} s and epochs.reportBy, {e.reportBy} s, are together above "
            f"epochs.proofWindow, {e.proofWindow} s: the report would be gone before it can be claimed"
        )
    if p.proofs.answerWindow < MIN_ANSWER_WINDOW:
        yield f"proofs.answerWindow: {p.proofs.answerWindow} s, at least {MIN_ANSWER_WINDOW} are needed"
    needed = e.epochLength + e.openBy + e.sealBy + e.drawBy + e.reportBy + e.proofWindow + p.proofs.answerWindow
    if p.stakes.unbondingPeriod <= needed:
        yield (
            f"stakes.unbondingPeriod: {p.stakes.unbondingPeriod} s must be above {needed}: an epoch, its deadlines, "
            "the proof window and the answer window"
        )


def _epochs(p: Parameters) -> Iterator[str]:
    e = p.epochs
    for name, value, limit_name, limit in (
        ("openBy", e.openBy, "sealBy", e.sealBy),
        ("sealBy", e.sealBy, "drawBy", e.drawBy),
        ("drawBy", e.drawBy, "epochLength", e.epochLength),
    ):
        if not 0 < value < limit:
            yield f"epochs.{name}: {value} s is not between 0 and epochs.{limit_name}, {limit} s"
    if not e.drawBy < e.reportBy <= 2 * e.epochLength:
        yield f"epochs.reportBy: {e.reportBy} s is not between epochs.drawBy, {e.drawBy} s, and {2 * e.epochLength} s"
    if e.drawDelay < 1:
        yield f"epochs.drawDelay: {e.drawDelay} blocks, at least 1 is needed"
    blocks, seconds, room = blocks_to_draw(e.drawDelay), p.chain.blockTime, e.drawBy - e.sealBy
    if blocks * seconds > room:
        yield (
            f"epochs.drawBy: {room} s after epochs.sealBy; drawDelay, {e.drawDelay} blocks of {seconds:g} s, takes "
            f"{blocks * seconds:g} s with {blocks - e.drawDelay} to spare: who seals late could void the epoch"
        )


def _profiles(p: Parameters) -> Iterator[str]:
    b = p.registry
    if b.minStake > b.maxStake:
        yield f"registry.minStake: {b.minStake} is above registry.maxStake, {b.maxStake}"
    for n, q in enumerate(p.profiles):
        where = f"profiles.{n} ({q.name})"
        if not b.minStake <= q.stake <= b.maxStake:
            yield f"{where}: stake {q.stake} is not between registry.minStake, {b.minStake}, and maxStake, {b.maxStake}"
        if not 0 < q.deadlineMs <= b.maxDeadlineMs:
            yield f"{where}: deadlineMs {q.deadlineMs} is not between 1 and registry.maxDeadlineMs, {b.maxDeadlineMs}"
        if q.credit * b.workPerCredit > work(q):
            yield (
                f"{where}: credit {q.credit} asks for {q.credit * b.workPerCredit} multiplications by "
                f"registry.workPerCredit, M·N·K·T are {work(q)}"
            )
        if q.credit and q.W == 0:
            yield f"{where}: credit {q.credit} with W 0: emission is for shown memory only"
        if q.credit and q.deadlineMs > 0 and p.chainId != LOCAL_CHAIN:
            a_second = work(q) * 1_000 // q.deadlineMs
            if a_second < BEYOND_PROCESSORS:
                yield (
                    f"{where}: credit {q.credit}, but {a_second} multiplications a second are what processors do "
                    f"({BEYOND_PROCESSORS} are beyond them): off chain {LOCAL_CHAIN} its credit must be 0"
                )


def _emission(p: Parameters) -> Iterator[str]:
    r, genesis = p.rewards, sum(a.amount for a in p.token.allocations)
    if r.eraEpochs < 1:
        yield f"rewards.eraEpochs: {r.eraEpochs}, at least 1 is needed"
    emitted = sum(r.initialEmission >> era for era in range(ERAS)) * max(r.eraEpochs, 0)
    if genesis + emitted > p.token.cap:
        yield f"token.cap: {p.token.cap} is below allocations of {genesis} and an emission of {emitted}"


def _leases(p: Parameters) -> Iterator[str]:
    e, holdback = p.epochs, p.leases.holdback
    least, most = 2 * e.epochLength + e.reportBy, e.epochLength + e.proofWindow
    if not least <= holdback < most:
        yield (
            f"leases.holdback: {holdback} s is not between {least} s, two epochs and epochs.reportBy, after which an "
            f"epoch's downtime is reported, and {most} s, when the report is gone"
        )
    if e.epochLength > 0 and holdback // e.epochLength + 3 > WINDOW_BITS:
        yield f"leases.holdback: {holdback} s; refunds of only {WINDOW_BITS - 3} epochs can be told apart"
    if p.leases.maxDowntime == 0:
        yield "leases.maxDowntime: 0 s, at least 1 is needed"
