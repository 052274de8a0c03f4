"""What always holds of the market that the state machine drives, and how everyone leaves it."""

from __future__ import annotations

from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant

from .epochs import Epoch
from .market_model import ACTIVE, PENDING, BondCredit, Lease
from .network import Network

# Calls that must fail are made a moment before the transaction would be: not within these seconds of a boundary.
MARGIN = 5


class MarketInvariants(RuleBasedStateMachine):
    """`network` is set by the test, on a subclass; its devices 0, 1 and 2 are of one provider. What the model holds
    is there once a subclass has begun."""

    network: Network
    leases: list[Lease]
    epochs: list[Epoch]
    credit: BondCredit
    fees: int
    donated: int
    rewards: int

    def teardown(self) -> None:
        if hasattr(self, "terms"):
            self.everyone_leaves()

    @property
    def escrow(self) -> Any:
        return self.network.LeaseEscrow

    @property
    def now(self) -> int:
        return int(self.network.chain.blocks.head.timestamp)

    @property
    def renter(self) -> Any:
        return self.network.accounts[30]

    @property
    def agent(self) -> Any:
        """May submit the renter's downtime."""
        return self.network.accounts[31]

    @property
    def provider(self) -> Any:
        return self.network.devices[0].provider

    @property
    def operator(self) -> Any:
        return self.network.accounts[44]

    @property
    def sink(self) -> Any:
        return self.network.accounts[43]

    @invariant()
    def escrow_is_solvent_and_owes_the_sum_of_its_parts(self) -> None:
        if not hasattr(self, "terms"):
            return
        token = self.network.TestToken
        owed = self.escrow.owed(token)
        assert owed == sum(lease.held for lease in self.leases) + self.fees + self.credit.amount
        assert token.balanceOf(self.escrow) == owed + self.donated
        assert self.escrow.fees(token) == self.fees
        assert self.escrow.bondCredit(self.provider, token).amount == self.credit.amount

    @invariant()
    def leases_are_what_the_model_says(self) -> None:
        for lease in getattr(self, "leases", []):
            seen, now = lease.letting.lease, self.now
            started = lease.start > 0
            assert (seen.status, seen.start, seen.stop) == (lease.status(now), lease.start, lease.stop)
            assert (seen.deposit, seen.bond, seen.devices) == (
                lease.deposit,
                lease.bond,
                len(lease.letting.devices) if started else 0,
            )
            assert (seen.claimed, seen.refunded, seen.bondReturned) == (lease.claimed, lease.refunded, lease.bond_back)
            assert (seen.downtime, seen.downtimeRefund) == (lease.downtime, lease.down_money)
            assert (seen.forfeited, seen.forfeitable) == (lease.renters_part, lease.open_forfeit(now))
            assert (seen.leftEarly, seen.noticeAt) == (lease.left_early, lease.notice_at)
            assert lease.renters_part + lease.networks_part(now) <= lease.bond
            streamed = self.escrow.streamed(lease.number)
            assert streamed == lease.streamed(now) <= seen.deposit
            assert seen.claimed + seen.downtimeRefund <= streamed
            if lease.status(now) == ACTIVE:
                assert streamed >= lease.last_streamed
            lease.last_streamed = streamed

    @invariant()
    def devices_of_a_node_are_all_leased_or_all_free(self) -> None:
        if not getattr(self, "leases", None):
            return
        now = self.now
        taken = {d.id: x.number for x in self.leases if x.status(now) == ACTIVE for d in x.letting.devices}
        for device in self.network.devices[:3]:
            assert self.escrow.activeLease(device.id) == taken.get(device.id, 0)

    @invariant()
    def reports_never_go_back(self) -> None:
        if getattr(self, "epochs", None):
            last = self.network.EpochOracle.lastReport()
            assert (last.epoch, last.rewardsTotal) == (self.epochs[-1].number, self.rewards)

    def everyone_leaves(self) -> None:
        """What can be ended is ended, time passes, all that is due is paid, and only fees stay behind."""
        token = self.network.TestToken
        for lease in self.leases:
            if lease.status(self.now) == PENDING:
                self.escrow.cancel(lease.number, sender=self.renter)
        self.network.go_to(max([self.network.now, *(x.forfeit_free_at for x in self.leases)]) + MARGIN)
        for lease in self.leases:
            if self.escrow.forfeitable(lease.number):
                self.escrow.settleForfeit(lease.number, sender=self.agent)
            if self.escrow.claimable(lease.number):
                self.escrow.claim(lease.number, self.sink, sender=self.provider)
            if self.escrow.refundable(lease.number):
                self.escrow.refund(lease.number, self.sink, sender=self.renter)
            if lease.bond and self.escrow.bondReturnable(lease.number):
                self.escrow.returnBond(lease.number, self.sink, sender=self.provider)
        if self.credit.amount:
            self.escrow.drainBondCredit(token, self.credit.amount, self.sink, sender=self.provider)
        assert self.escrow.owed(token) == self.escrow.fees(token)
