"""Leases of nodes, operators, slashes and epochs driven through Ape in any order, beside
a model that says what must come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ape
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from assay.protocol import leaves

from .epochs import Epoch
from .faults import prove
from .lettings import RICH, SCALE, Letting
from .market_invariants import MARGIN, MarketInvariants
from .market_model import ACTIVE, ENDED, PENDING, BondCredit, Forfeit, Lease, Terms, fee_of, rounded_up

MAX_LEASES = 6
NODES = ((0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2))
SIDES = ("renter", "provider", "operator")
CREDIT = 10**7
UPTIMES = st.sampled_from([0, 1, 5_000, 9_999, 10_000])
TERMS = st.fixed_dictionaries(
    {
        "node": st.sampled_from(NODES),
        "rate": st.sampled_from([1, SCALE // 3 + 1, SCALE, 10 * SCALE]) | st.integers(1, 10**20),
        "maximum": st.sampled_from([3_600, 40_000]) | st.integers(60, 40_000),
        "minimum": st.sampled_from([0, 7_200, 40_000]) | st.integers(0, 40_000),
        "notice": st.sampled_from([0, 60, 3_600]),
        "more": st.integers(0, 10**9),
        "by_operator": st.booleans(),
    }
)


class MarketMachine(MarketInvariants):
    """Every example runs on a snapshot."""

    snapshot: Any = None

    @initialize(terms=st.lists(TERMS, min_size=1, max_size=2), side=st.sampled_from(SIDES), dark=st.booleans())
    def begin(self, terms: list[dict[str, Any]], side: str, dark: bool) -> None:
        """One or two leases, and where `dark` an epoch in which their devices were away, told or still to be told."""
        cls, n = type(self), self.network
        if cls.snapshot is not None:
            n.chain.restore(cls.snapshot)
        cls.snapshot = n.chain.snapshot()
        self.leases: list[Lease] = []
        self.epochs: list[Epoch] = []
        self.fees = self.donated = 0
        self.gone = False  # a device was slashed
        self.rewards = 0
        self.terms = Terms(n.parameters.leases.holdback, n.parameters.leases.maxDowntime, n.parameters.stakes.slashHold)
        for who in (self.renter, self.provider):
            n.TestToken.approve(n.LeaseEscrow, RICH, sender=who)
        n.appoint(self.provider, self.operator)
        n.LeaseEscrow.nameRefunder(self.agent, True, sender=self.renter)
        n.LeaseEscrow.fillBondCredit(n.TestToken, CREDIT, sender=self.provider)
        n.LeaseEscrow.setBondLimit(n.TestToken, CREDIT // 10, sender=self.provider)
        self.credit = BondCredit(CREDIT, CREDIT // 10)
        self.report(10_000, 1_000, 0, False)
        for one in terms:
            self.let(one, "provider")
        if dark:
            self.report(0, 3_590, 0, side == "renter")

    def who(self, side: str) -> Any:
        return getattr(self, side)

    def pick(self, index: int, *statuses: int) -> Lease | None:
        found = [x for x in self.leases if not statuses or x.status(self.network.now) in statuses]
        return found[index % len(found)] if found else None

    def near(self, *times: int) -> bool:
        return any(abs(self.network.now - time) <= MARGIN for time in times)

    # --- time and epochs --------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 59, 600, 3_600, 12_600]) | st.integers(1, 4_000))
    def wait(self, seconds: int) -> None:
        self.network.pass_time(seconds)

    # Anvil's clock goes on with the machine's: the last seconds before the deadline are Forge's to test.
    @rule(uptime=UPTIMES, at=st.integers(910, 5_390), more=st.integers(0, 10**18), told=st.booleans())
    def report(self, uptime: int, at: int, more: int, told: bool) -> None:
        """The next epoch, in which every device passed, or was leased and up for `uptime`; and where `told` all
        downtime of it is submitted at once."""
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
        epoch.device_leaves = [epoch.leaf(d, flags, uptime) for d in n.devices[:3] for flags in (1, 2)]
        epoch.devices = leaves.device_tree(epoch.device_leaves)
        message = epoch.report_message(self.rewards + more)
        if self.rewards + more:
            message = replace(message, rewards_root=b"\1" * 32)
        epoch.submit(message, n.quorum(message.digest(n.domain("EpochOracle"))))
        self.rewards += more
        self.epochs.append(epoch)
        for lease in self.leases if told else ():
            if self.away(epoch, lease):
                self.submit(lease, epoch, 0, False)

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
    @rule(terms=TERMS, side=st.sampled_from(SIDES))
    def let(self, terms: dict[str, Any], side: str) -> None:
        """Opens a lease; and where it is not the renter's turn to think, starts it."""
        if self.open(**terms) and side != "renter":
            self.start_one(self.leases[-1], side)

    def open(
        self, node: tuple[int, ...], rate: int, maximum: int, minimum: int, notice: int, more: int, by_operator: bool
    ) -> bool:
        n = self.network
        if self.epochs[-1].number + n.parameters.leases.maxAge < n.EpochOracle.currentEpoch():
            return False
        minimum = min(minimum, maximum)
        least = rounded_up(rate * max(minimum, 60), SCALE)
        deposit = least + more % (rounded_up(rate * maximum, SCALE) - least + 1)
        letting = Letting(n, self.epochs[-1], [n.devices[i] for i in node], self.renter, rate)
        letting.change(min_duration=minimum, max_duration=maximum, notice=notice)
        if by_operator:
            letting.change(operator=self.operator.address)
        places = [2 * n.devices.index(device) for device in letting.devices]
        arguments = (
            letting.offer,
            letting.signature(self.operator if by_operator else None),
            deposit,
            [letting.epoch.device_leaves[place].values() for place in places],
            [letting.epoch.devices.proof(place) for place in places],
            1_000,
            0,
        )
        if self.gone and n.devices[0] in letting.devices:
            with ape.reverts(n.DeviceRegistry.DeviceRegistry_NotActive, deviceId=n.devices[0].id):
                self.escrow.open.call(*arguments, sender=self.renter)
            return False
        self.escrow.open(*arguments, sender=self.renter)
        letting.lease_id = len(self.leases) + 1
        self.leases.append(Lease(self.terms, letting, rate, minimum, maximum, notice, deposit))
        return True

    @rule(index=st.integers(0, 9), side=st.sampled_from(SIDES))
    def decide(self, index: int, side: str) -> None:
        """A pending lease is cancelled by its renter, or started by the provider's side."""
        if (lease := self.pick(index, PENDING)) is None:
            if self.leases:
                with ape.reverts(self.escrow.LeaseEscrow_WrongStatus):
                    self.escrow.cancel.call(self.pick(index).number, sender=self.renter)
        elif side == "renter":
            self.escrow.cancel(lease.number, sender=self.renter)
            lease.cancelled = True
        else:
            self.start_one(lease, side)

    def start_one(self, lease: Lease, side: str) -> None:
        live = {x.number: x for device in lease.letting.devices if (x := self.live(device)) is not None}
        if self.near(*(x.stop for x in live.values())):
            return
        refused = self.why_not_started(lease, side, list(live.values()))
        if refused is not None:
            with ape.reverts(refused):
                self.escrow.start.call(*lease.letting.start_arguments(), sender=self.who(side))
            return
        self.escrow.start(*lease.letting.start_arguments(), sender=self.who(side))
        for other in live.values():
            other.release(self.now)
        lease.start = self.now
        if side == "operator":
            self.credit.take(lease.bond, self.now)

    def why_not_started(self, lease: Lease, side: str, live: list[Lease]) -> Any:
        if self.gone and self.network.devices[0] in lease.letting.devices:
            return self.network.DeviceRegistry.DeviceRegistry_NotActive
        bond = rounded_up(lease.rate * lease.minimum, SCALE)
        for other in live:  # devices ascend, and so do those that are in the way
            if not other.left_early:
                return self.escrow.LeaseEscrow_DeviceLeased
            let_go = replace(other)
            let_go.release(self.network.now)
            if side == "operator" and let_go.lost_to_renter_or_dark(self.network.now):
                return self.escrow.LeaseEscrow_WouldForfeit
        if side == "operator" and bond > self.credit.amount:
            return self.escrow.LeaseEscrow_CreditTooSmall
        if side == "operator" and bond > self.credit.left(self.network.now):
            return self.escrow.LeaseEscrow_DailyLimit
        return None

    def live(self, device: Any) -> Lease | None:
        found = [x for x in self.leases if device in x.letting.devices and x.status(self.network.now) == ACTIVE]
        assert len(found) <= 1
        return found[0] if found else None

    @rule(index=st.integers(0, 9), amount=st.integers(1, 10**9))
    def top_up(self, index: int, amount: int) -> None:
        if (lease := self.pick(index, ACTIVE)) is None or self.near(lease.stop):
            return
        if lease.left_early:
            with ape.reverts(self.escrow.LeaseEscrow_LeftEarly):
                self.escrow.topUp.call(lease.number, amount, sender=self.renter)
            return
        room = rounded_up(lease.rate * lease.maximum, SCALE) - lease.deposit
        if room <= 0:
            return
        amount = 1 + amount % room
        self.escrow.topUp(lease.number, amount, sender=self.renter)
        lease.deposit += amount

    @rule(index=st.integers(0, 9), side=st.sampled_from(SIDES))
    def end(self, index: int, side: str) -> None:
        if (lease := self.pick(index, ACTIVE)) is None:
            return
        if self.near(lease.stop, lease.start + lease.minimum, lease.notice_at + lease.notice):
            return
        if lease.left_early and (side != "renter" or not lease.free):
            with ape.reverts(self.escrow.LeaseEscrow_LeftEarly):
                self.escrow.end.call(lease.number, sender=self.who(side))
            return
        if side == "operator":
            tried = replace(lease)
            tried.end_by_provider(self.network.now)
            if tried.lost_to_renter_or_dark(self.network.now):
                with ape.reverts(self.escrow.LeaseEscrow_WouldForfeit):
                    self.escrow.end.call(lease.number, sender=self.operator)
                return
        self.escrow.end(lease.number, sender=self.who(side))
        if side == "renter":
            lease.end_by_renter(self.now)
        else:
            lease.end_by_provider(self.now)

    @rule(index=st.integers(0, 9), side=st.sampled_from(SIDES[1:]))
    def let_go(self, index: int, side: str) -> None:
        """The provider's side releases a renter who has left early, or gives notice to one who has not."""
        if (lease := self.pick(index, ACTIVE)) is None or self.near(lease.stop):
            return
        if lease.left_early and side == "provider":
            self.escrow.release(lease.number, sender=self.provider)
            lease.release(self.now)
            return
        if not lease.left_early:
            with ape.reverts(self.escrow.LeaseEscrow_NotLeftEarly):
                self.escrow.release.call(lease.number, sender=self.provider)
        if not lease.notice or lease.notice_at:
            error = self.escrow.LeaseEscrow_NoticeAlreadyGiven if lease.notice else self.escrow.LeaseEscrow_NoNotice
            with ape.reverts(error):
                self.escrow.giveNotice.call(lease.number, sender=self.who(side))
            return
        self.escrow.giveNotice(lease.number, sender=self.who(side))
        lease.notice_at = self.now

    @precondition(lambda self: self.leases)
    @rule(index=st.integers(0, 9), way=st.sampled_from(["claim", "refund", "return_bond", "settle_forfeit"]))
    def pay(self, index: int, way: str) -> None:
        getattr(self, way)(self.pick(index))

    def claim(self, lease: Lease) -> None:
        if not lease.claimable(self.now):
            return
        # By an operator every other time: its claim goes where the provider's payouts go, and nowhere else.
        by_operator = lease.claimed % 2 == 1
        receiver, sender = (self.provider, self.operator) if by_operator else (self.sink, self.provider)
        before = lease.letting.balance(receiver)
        with ape.reverts(self.escrow.LeaseEscrow_NotPayout):
            self.escrow.claim.call(lease.number, self.sink, sender=self.operator)
        self.escrow.claim(lease.number, receiver, sender=sender)
        due = lease.claimable(self.now)
        fee = fee_of(lease.claimed + due) - fee_of(lease.claimed)
        assert lease.letting.balance(receiver) - before == due - fee
        lease.claimed += due
        self.fees += fee

    def refund(self, lease: Lease) -> None:
        if self.near(lease.stop) or not (due := lease.refundable(self.network.now)):
            return
        before = lease.letting.balance(self.sink)
        self.escrow.refund(lease.number, self.sink, sender=self.renter)
        assert lease.letting.balance(self.sink) - before == due
        lease.refunded += due

    def return_bond(self, lease: Lease) -> None:
        if not (due := lease.bond_due(self.now)) or self.near(lease.bond_free_at):
            return
        if self.now < lease.bond_free_at:
            with ape.reverts(self.escrow.LeaseEscrow_BondHeld):
                self.escrow.returnBond.call(lease.number, self.sink, sender=self.provider)
            return
        self.escrow.returnBond(lease.number, self.sink, sender=self.provider)
        lease.returned += due
        lease.bond_back = True
        if lease.forfeit is Forfeit.FORGIVEN:
            lease.forfeit = Forfeit.PAID_BACK

    def settle_forfeit(self, lease: Lease) -> None:
        if not (part := lease.open_forfeit(self.now)) or self.near(lease.forfeit_free_at):
            return
        if self.now < lease.forfeit_free_at:
            with ape.reverts(self.escrow.LeaseEscrow_BondHeld):
                self.escrow.settleForfeit.call(lease.number, sender=self.agent)
            return
        self.escrow.settleForfeit(lease.number, sender=self.agent)
        lease.forfeit, lease.settled = Forfeit.SETTLED, part
        self.fees += part

    # --- downtime, slashes ------------------------------------------------------------------------------------

    @rule(index=st.integers(0, 9), back=st.integers(0, 9), place=st.integers(0, 5), any_epoch=st.integers(0, 9))
    def refund_downtime(self, index: int, back: int, place: int, any_epoch: int) -> None:
        """Of any epoch, whichever came before, in any order; mostly of one in which the lease's devices were away."""
        if (lease := self.pick(index, ACTIVE, ENDED)) is None:
            return
        away = [epoch for epoch in self.epochs if self.away(epoch, lease)] if any_epoch else []
        choice = away or self.epochs
        self.submit(lease, choice[back % len(choice)], place, back % 2 == 0)

    def span(self, epoch: Epoch) -> tuple[int, int]:
        return self.network.start_of(epoch.number), self.network.start_of(epoch.number + 1)

    def away(self, epoch: Epoch, lease: Lease) -> bool:
        uptime = epoch.device_leaves[0].uptime_bps
        return lease.refund_of(epoch.number, *self.span(epoch), uptime, self.now) is not None

    def submit(self, lease: Lease, epoch: Epoch, place: int, by_agent: bool) -> None:
        opens, closes = self.span(epoch)
        if self.near(closes, lease.stop, max(opens, lease.start) + self.terms.holdback):
            return
        device = lease.letting.devices[place // 2 % len(lease.letting.devices)]
        at = 2 * self.network.devices.index(device) + place % 2
        leaf, proof = epoch.device_leaves[at], epoch.devices.proof(at)
        arguments = (lease.number, lease.letting.offer, leaf.values(), proof)
        sender = self.agent if by_agent else self.renter
        if lease.refund_of(epoch.number, opens, closes, leaf.uptime_bps, self.network.now) is None:
            with ape.reverts():
                self.escrow.refundDowntime.call(*arguments, sender=sender)
            return
        self.escrow.refundDowntime(*arguments, sender=sender)
        seconds, money = lease.refund_of(epoch.number, opens, closes, leaf.uptime_bps, self.now)
        lease.down[epoch.number] = seconds
        lease.down_money += money

    @rule(index=st.integers(0, 9))
    def forgive_forfeit(self, index: int) -> None:
        if (lease := self.pick(index, ACTIVE, ENDED)) is None or not lease.open_forfeit(self.now):
            return
        self.network.governed("LeaseEscrow", "forgiveForfeit", lease.number)
        lease.forfeit = Forfeit.FORGIVEN

    @precondition(lambda self: not self.gone and any(x.start for x in self.leases))
    @rule()
    def slash(self) -> None:
        """Device 0 signs two commitments; whoever has it leased is free."""
        device, epoch = self.network.devices[0], self.epochs[-1]
        live = self.live(device)
        if (live and self.near(live.stop)) or not self.network.EpochOracle.provable(epoch.number):
            return
        words = [epoch.commit(device, result_root=bytes([n]) * 32).struct for n in (1, 2)]
        prove(self.network, "proveTwoCommitments", words, self.agent)
        self.gone = True
        if live is not None:
            live.slash_one_device(self.now)

    @rule(amount=st.integers(1, CREDIT), way=st.sampled_from(["fill", "drain", "donate"]))
    def move_money(self, amount: int, way: str) -> None:
        """Into the provider's credit for bonds and out of it, or to the escrow for nothing."""
        token = self.network.TestToken
        if way == "donate":
            token.transfer(self.escrow, amount, sender=self.network.accounts[41])
            self.donated += amount
        elif way == "fill":
            self.escrow.fillBondCredit(token, amount, sender=self.provider)
            self.credit.amount += amount
        elif self.credit.amount:
            amount = min(amount, self.credit.amount)
            self.escrow.drainBondCredit(token, amount, self.sink, sender=self.provider)
            self.credit.amount -= amount
