"""Leases, stakes and epochs driven through Ape in any order, beside a model in Python that says what must come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import ape
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from assay.protocol import leaves

from .epochs import Epoch
from .lettings import SCALE, Letting, offer_values
from .network import Network

MAX_LEASES = 4
PENDING, ACTIVE, ENDED, CANCELLED = 1, 2, 3, 4
FEE_FLOOR = 10_000


def rounded_up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


@dataclass
class Lease:
    """A lease as the model sees it; times in seconds, money in base units."""

    letting: Letting
    rate: int
    minimum: int
    maximum: int
    deposit: int
    status: int = PENDING
    start: int = 0
    stop: int = 0  # until when it is paid for, which may be after its end
    ended_at: int = 0
    bond: int = 0
    claimed: int = 0
    refunded: int = 0
    returned: int = 0
    forfeited: int = 0
    down_money: int = 0
    down_seconds: int = 0
    next_epoch: int = 0
    last_streamed: int = 0

    def streamed(self, time: int) -> int:
        return self.rate * max(0, min(time, self.stop) - self.start) // SCALE if self.start else 0

    def claimable(self, now: int, holdback: int) -> int:
        return max(0, self.streamed(now - holdback) - self.claimed - self.down_money)

    def refundable(self, now: int) -> int:
        if self.status == CANCELLED:
            return self.deposit - self.refunded
        due = self.down_money + self.forfeited - self.refunded
        if self.status == ENDED or (self.status == ACTIVE and now >= self.stop):
            due += self.deposit - self.streamed(self.stop)
        return due

    def bond_left(self, now: int, holdback: int) -> int:
        return self.bond - self.forfeited - self.returned if now >= self.stop + holdback else 0

    @property
    def held(self) -> int:
        return self.deposit + self.bond - self.claimed - self.refunded - self.returned


class MarketMachine(RuleBasedStateMachine):
    """`network` is set by the test, on a subclass. Every example runs on a snapshot."""

    network: Network
    snapshot: Any = None

    @initialize()
    def begin(self) -> None:
        cls, n = type(self), self.network
        if cls.snapshot is not None:
            n.chain.restore(cls.snapshot)
        cls.snapshot = n.chain.snapshot()
        self.leases: list[Lease] = []
        self.epochs: list[Epoch] = []
        self.fees = self.donated = 0
        self.staker = n.accounts[42]
        self.staked = self.unbonding = self.unlock_at = self.withdrawn = self.deposited = 0
        self.rewards = 0
        for who in (n.accounts[30], n.accounts[20]):
            n.TestToken.approve(n.LeaseEscrow, 10**15, sender=who)
        n.NetworkToken.approve(n.StakeManager, 10**24, sender=self.staker)
        self.report(10_000, 700, 0)

    def teardown(self) -> None:
        if hasattr(self, "leases"):
            self.everyone_leaves()

    @property
    def escrow(self) -> Any:
        return self.network.LeaseEscrow

    @property
    def now(self) -> int:
        return int(self.network.chain.blocks.head.timestamp)

    @property
    def holdback(self) -> int:
        return self.network.parameters.leases.holdback

    @property
    def renter(self) -> Any:
        return self.network.accounts[30]

    @property
    def provider(self) -> Any:
        return self.network.devices[0].provider

    def pick(self, index: int) -> Lease:
        return self.leases[index % len(self.leases)]

    # --- time and epochs --------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 59, 600, 3_599, 3_600, 9_000, 12_600]) | st.integers(1, 20_000))
    def wait(self, seconds: int) -> None:
        self.network.pass_time(seconds)

    # Anvil's clock goes on with the machine's: the last seconds before the deadline are Forge's to test.
    @rule(uptime=st.sampled_from([0, 1, 5_000, 9_999, 10_000]), at=st.integers(610, 5_390), more=st.integers(0, 10**18))
    def report(self, uptime: int, at: int, more: int) -> None:
        """The next epoch, in which every device passed, or was leased and up for `uptime`."""
        n, clock = self.network, self.network.EpochOracle
        number = clock.currentEpoch()
        if n.now > n.start_of(number) or (self.epochs and number <= self.epochs[-1].number):
            number = max(number, self.epochs[-1].number if self.epochs else 0) + 1
        epoch = Epoch(n, number).open()
        root = b"\0" * 32
        quorum = n.quorum(epoch.seal_message(root, 0).digest(n.domain("EpochOracle")))
        clock.seal(number, 0, root, 0, quorum, sender=n.accounts[0])
        epoch.draw()
        n.go_to(n.start_of(number) + at)
        epoch.device_leaves = [epoch.leaf(d, flags, uptime) for d in n.devices[:2] for flags in (1, 2)]
        epoch.devices = leaves.device_tree(epoch.device_leaves)
        message = epoch.report_message(self.rewards + more)
        if self.rewards + more:
            message = replace(message, rewards_root=b"\1" * 32)
        epoch.submit(message, n.quorum(message.digest(n.domain("EpochOracle"))))
        self.rewards += more
        self.epochs.append(epoch)

    @rule()
    def void(self) -> None:
        """An epoch that is opened and never sealed holds up nothing."""
        n = self.network
        number = max(n.EpochOracle.currentEpoch(), self.epochs[-1].number) + 1
        Epoch(n, number).open()
        n.go_to(n.start_of(number) + n.parameters.epochs.sealBy + 1)
        n.EpochOracle.voidEpoch(number, sender=self.renter)
        assert n.EpochOracle.epochState(number).phase == 5

    # --- leases -----------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.leases) < MAX_LEASES)
    @rule(
        device=st.integers(0, 1),
        rate=st.sampled_from([1, SCALE // 3 + 1, SCALE, 10 * SCALE]) | st.integers(1, 10**20),
        maximum=st.integers(60, 40_000),
        minimum=st.integers(0, 40_000),
        more=st.integers(0, 10**9),
    )
    def open(self, device: int, rate: int, maximum: int, minimum: int, more: int) -> None:
        n = self.network
        if self.epochs[-1].number + n.parameters.leases.maxAge < n.EpochOracle.currentEpoch():
            return
        minimum = min(minimum, maximum)
        least = rounded_up(rate * max(minimum, 60), SCALE)
        deposit = least + more % (rounded_up(rate * maximum, SCALE) - least + 1)
        letting = Letting(n, self.epochs[-1], n.devices[device], self.renter, rate)
        offer = letting.offer(min_duration=minimum, max_duration=maximum)
        shown = letting.epoch.device_leaves[2 * device]
        n.LeaseEscrow.open(
            tuple(offer_values(offer)), letting.sign(offer), deposit, shown.values(),
            letting.epoch.devices.proof(2 * device), 0, sender=self.renter,
        )  # fmt: skip
        letting.lease_id = len(self.leases) + 1
        self.leases.append(Lease(letting, rate, minimum, maximum, deposit))

    @precondition(lambda self: self.leases)
    @rule(index=st.integers(0, 9))
    def cancel(self, index: int) -> None:
        lease = self.pick(index)
        if lease.status != PENDING:
            with ape.reverts(self.escrow.LeaseEscrow_WrongStatus):
                self.escrow.cancel.call(lease.letting.lease_id, sender=self.renter)
            return
        self.escrow.cancel(lease.letting.lease_id, sender=self.renter)
        lease.status = CANCELLED

    @precondition(lambda self: any(x.status == PENDING for x in self.leases))
    @rule(index=st.integers(0, 9))
    def start(self, index: int) -> None:
        waiting = [x for x in self.leases if x.status == PENDING]
        lease = waiting[index % len(waiting)]
        if live := self.escrow.activeLease(lease.letting.device.id):
            with ape.reverts(self.escrow.LeaseEscrow_DeviceLeased, leaseId=live):
                self.escrow.start.call(*start_arguments(lease.letting), sender=self.provider)
            return
        self.escrow.start(*start_arguments(lease.letting), sender=self.provider)
        lease.status, lease.start = ACTIVE, self.now
        lease.stop = self.now + min(lease.deposit * SCALE // lease.rate, lease.maximum)
        lease.bond = rounded_up(lease.rate * lease.minimum, SCALE)

    @precondition(lambda self: any(x.status == ACTIVE for x in self.leases))
    @rule(index=st.integers(0, 9), amount=st.integers(1, 10**9))
    def top_up(self, index: int, amount: int) -> None:
        active = [x for x in self.leases if x.status == ACTIVE]
        lease = active[index % len(active)]
        room = rounded_up(lease.rate * lease.maximum, SCALE) - lease.deposit
        if self.network.now >= lease.stop or room <= 0:
            return
        amount = 1 + amount % room
        self.escrow.topUp(lease.letting.lease_id, amount, sender=self.renter)
        lease.deposit += amount
        lease.stop = lease.start + min(lease.deposit * SCALE // lease.rate, lease.maximum)

    @precondition(lambda self: any(x.status == ACTIVE for x in self.leases))
    @rule(index=st.integers(0, 9), by_renter=st.booleans())
    def end(self, index: int, by_renter: bool) -> None:
        active = [x for x in self.leases if x.status == ACTIVE]
        lease = active[index % len(active)]
        if self.network.now >= lease.stop:
            return
        self.escrow.end(lease.letting.lease_id, sender=self.renter if by_renter else self.provider)
        free = lease.down_seconds > self.network.parameters.leases.maxDowntime
        lease.ended_at = self.now
        served = self.now - lease.start
        if by_renter and not free and served < lease.minimum:
            lease.stop = min(lease.stop, lease.start + lease.minimum)
        else:
            lease.stop = self.now
            if not by_renter and not free and served < lease.minimum:
                lease.forfeited = rounded_up(lease.bond * (lease.minimum - served), lease.minimum)
        lease.status = ENDED

    @precondition(lambda self: self.leases)
    @rule(index=st.integers(0, 9))
    def claim(self, index: int) -> None:
        lease, sink = self.pick(index), self.network.accounts[43]
        before = lease.letting.balance(sink)
        if not lease.claimable(self.now, self.holdback):
            return
        self.escrow.claim(lease.letting.lease_id, sink, sender=self.provider)
        due = lease.claimable(self.now, self.holdback)
        fee = fee_of(lease.claimed + due) - fee_of(lease.claimed)
        assert lease.letting.balance(sink) - before == due - fee
        lease.claimed += due
        self.fees += fee

    @precondition(lambda self: self.leases)
    @rule(index=st.integers(0, 9))
    def refund(self, index: int) -> None:
        lease, sink = self.pick(index), self.network.accounts[43]
        if not (due := lease.refundable(self.network.now)):
            return
        before = lease.letting.balance(sink)
        self.escrow.refund(lease.letting.lease_id, sink, sender=self.renter)
        assert lease.letting.balance(sink) - before == due
        lease.refunded += due

    @precondition(lambda self: self.leases)
    @rule(index=st.integers(0, 9))
    def return_bond(self, index: int) -> None:
        lease = self.pick(index)
        if lease.status not in (ACTIVE, ENDED) or not (due := lease.bond_left(self.now, self.holdback)):
            return
        self.escrow.returnBond(lease.letting.lease_id, self.network.accounts[43], sender=self.provider)
        lease.returned += due

    @precondition(lambda self: any(x.status in (ACTIVE, ENDED) for x in self.leases))
    @rule(index=st.integers(0, 9), back=st.integers(0, 2))
    def refund_downtime(self, index: int, back: int) -> None:
        n = self.network
        running = [x for x in self.leases if x.status in (ACTIVE, ENDED)]
        lease = running[index % len(running)]
        epoch = self.epochs[max(0, len(self.epochs) - 1 - back)]
        place = 2 * n.devices.index(lease.letting.device) + 1
        leaf, proof = epoch.device_leaves[place], epoch.devices.proof(place)
        opens, closes = n.start_of(epoch.number), n.start_of(epoch.number + 1)
        # No downtime counts after the end, also where the least duration is paid for.
        fits = lease.start <= opens and closes <= min(lease.stop, lease.ended_at or lease.stop, n.now)
        due = fits and epoch.number >= lease.next_epoch and n.now <= opens + self.holdback and leaf.uptime_bps < 10_000
        if not due:
            with ape.reverts():
                self.escrow.refundDowntime.call(lease.letting.lease_id, leaf.values(), proof, sender=self.renter)
            return
        self.escrow.refundDowntime(lease.letting.lease_id, leaf.values(), proof, sender=self.renter)
        down = (closes - opens) * (10_000 - leaf.uptime_bps) // 10_000
        lease.down_money += lease.rate * down // SCALE
        lease.down_seconds += down
        lease.next_epoch = epoch.number + 1
        if lease.down_seconds > n.parameters.leases.maxDowntime:
            lease.forfeited = lease.bond

    @rule(amount=st.integers(1, 10**6))
    def donate(self, amount: int) -> None:
        self.network.TestToken.transfer(self.escrow, amount, sender=self.network.accounts[41])
        self.donated += amount

    # --- stake ------------------------------------------------------------------------------------------------

    @rule(amount=st.integers(1, 10**20))
    def deposit_stake(self, amount: int) -> None:
        self.network.StakeManager.deposit(self.staker, amount, sender=self.staker)
        self.staked += amount
        self.deposited += amount

    @precondition(lambda self: self.staked)
    @rule(amount=st.integers(1, 10**20))
    def ask_stake_back(self, amount: int) -> None:
        manager, amount = self.network.StakeManager, 1 + amount % self.staked
        if self.unbonding:
            with ape.reverts(manager.StakeManager_WithdrawalPending):
                manager.requestWithdrawal.call(amount, sender=self.staker)
            return
        manager.requestWithdrawal(amount, sender=self.staker)
        self.staked, self.unbonding = self.staked - amount, amount
        self.unlock_at = self.now + self.network.parameters.stakes.unbondingPeriod

    @precondition(lambda self: self.unbonding)
    @rule(wait=st.booleans(), cancel=st.booleans())
    def take_stake_back(self, wait: bool, cancel: bool) -> None:
        n = self.network
        if cancel:
            n.StakeManager.cancelWithdrawal(sender=self.staker)
            self.staked += self.unbonding
        elif wait:
            if n.now < self.unlock_at:
                n.go_to(self.unlock_at)
            n.StakeManager.withdraw(self.staker, sender=self.staker)
            self.withdrawn += self.unbonding
        else:
            if n.now < self.unlock_at - 5:
                with ape.reverts(n.StakeManager.StakeManager_StillLocked, unlockAt=self.unlock_at):
                    n.StakeManager.withdraw.call(self.staker, sender=self.staker)
            return
        self.unbonding = self.unlock_at = 0

    # --- what always holds ------------------------------------------------------------------------------------

    @invariant()
    def escrow_is_solvent_and_owes_the_sum_of_its_parts(self) -> None:
        if not hasattr(self, "leases"):
            return
        owed = self.escrow.owed(self.network.TestToken)
        assert owed == sum(lease.held for lease in self.leases) + self.fees
        assert self.network.TestToken.balanceOf(self.escrow) == owed + self.donated
        assert self.escrow.fees(self.network.TestToken) == self.fees

    @invariant()
    def leases_are_what_the_model_says(self) -> None:
        for lease in getattr(self, "leases", []):
            seen, now = lease.letting.lease, self.now
            assert (seen.status, seen.start, seen.stop) == (lease.status, lease.start, lease.stop)
            assert (seen.deposit, seen.bond, seen.claimed) == (lease.deposit, lease.bond, lease.claimed)
            assert (seen.refunded, seen.bondReturned, seen.forfeited) == (
                lease.refunded, lease.returned, lease.forfeited,
            )  # fmt: skip
            assert seen.claimed + seen.refunded + seen.bondReturned <= seen.deposit + seen.bond
            assert seen.forfeited + seen.bondReturned <= seen.bond
            streamed = self.escrow.streamed(lease.letting.lease_id)
            assert streamed == lease.streamed(now) <= seen.deposit
            assert seen.claimed + seen.downtimeRefund <= streamed
            if lease.status == ACTIVE:
                assert streamed >= lease.last_streamed
            lease.last_streamed = streamed

    @invariant()
    def stakes_are_conserved(self) -> None:
        if not hasattr(self, "leases"):
            return
        account = self.network.StakeManager.account(self.staker)
        assert (account.active, account.pending, account.unlockAt) == (self.staked, self.unbonding, self.unlock_at)
        assert self.deposited == account.active + account.pending + self.withdrawn

    @invariant()
    def reports_never_go_back(self) -> None:
        if getattr(self, "epochs", None):
            last = self.network.EpochOracle.lastReport()
            assert (last.epoch, last.rewardsTotal) == (self.epochs[-1].number, self.rewards)

    def everyone_leaves(self) -> None:
        """What can be ended is ended, time passes, all that is due is paid, and only fees stay behind."""
        for lease in self.leases:
            if lease.status == PENDING:
                self.escrow.cancel(lease.letting.lease_id, sender=self.renter)
        self.network.go_to(max([self.network.now, *(x.stop for x in self.leases)]) + self.holdback + 5)
        for lease in self.leases:
            number, sink = lease.letting.lease_id, self.network.accounts[43]
            if self.escrow.claimable(number):
                self.escrow.claim(number, sink, sender=self.provider)
            if self.escrow.refundable(number):
                self.escrow.refund(number, sink, sender=self.renter)
            if lease.bond and self.escrow.bondReturnable(number):
                self.escrow.returnBond(number, sink, sender=self.provider)
        token = self.network.TestToken
        assert self.escrow.owed(token) == self.escrow.fees(token)


def fee_of(amount: int) -> int:
    return min(max(rounded_up(amount * 200, 10_000), FEE_FLOOR), amount)


def start_arguments(letting: Letting) -> tuple[int, bytes, int, bytes]:
    until = letting.network.now + 10**6
    return letting.lease_id, b"\7" * 32, until, letting.start_signature(until)
