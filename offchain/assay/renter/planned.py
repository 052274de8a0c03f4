"""What is sent for each thing that a renter does: planned first, then shown or sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from assay.chain.client import Chain, ContractCall
from assay.chain.erc20 import APPROVE, Erc20
from assay.chain.leases import Lease, LeaseStatus
from assay.protocol.encoding import u256
from assay.protocol.hexadecimal import to_hex
from assay.protocol.messages import Offer
from assay.renter.downtime import DowntimeFound
from assay.renter.lease_rights import require_endable, require_leavable, require_own, require_running
from assay.renter.lease_views import LeaseView
from assay.renter.money import moment
from assay.renter.offer_checks import ESCROW
from assay.renter.wallet import Done, Wallet


@dataclass(frozen=True)
class Payment:
    """What the escrow takes from the wallet: base units of a token."""

    token: str
    amount: int


@dataclass(frozen=True)
class Plan:
    """Calls that go together, in order. Before the first the escrow is allowed to take the `payment`."""

    calls: tuple[ContractCall, ...] = ()
    payment: Payment | None = None

    def __add__(self, other: Plan) -> Plan:
        """One after the other, where at most the first pays something."""
        return Plan(self.calls + other.calls, self.payment)


@dataclass(frozen=True)
class Planned:
    """One transaction, as anyone can send it; `value` in wei, calldata 0x-hex."""

    name: str
    to: str
    calldata: str
    value: int = 0


def planned_call(chain: Chain, call: ContractCall) -> Planned:
    """A call of one of the deployment's contracts."""
    return Planned(str(call), chain.deployment.address(call.contract), to_hex(chain.encode(call)), call.value)


async def shown(chain: Chain, plan: Plan, holder: str | None) -> list[Planned]:
    """A plan's transactions, for a look before or for a wallet elsewhere. `holder` is the wallet; without one its
    allowance is not known.
    """
    calls = [planned_call(chain, call) for call in plan.calls]
    if plan.payment is None:
        return calls
    escrow, token = chain.deployment.address(ESCROW), Erc20(chain, plan.payment.token)
    if holder is not None and await token.allowance(holder, escrow) >= plan.payment.amount:
        return calls
    data = to_hex(APPROVE + u256(escrow) + u256(plan.payment.amount))
    return [Planned("ERC20.approve", token.address, data), *calls]


async def sent(wallet: Wallet, plan: Plan) -> list[Done]:
    """Sends a plan's transactions one after the other, each once the one before is in a block."""
    done = []
    if plan.payment is not None:
        approval = await wallet.approve(plan.payment.token, plan.payment.amount)
        done += [approval] if approval else []
    return done + [await wallet.send(call) for call in plan.calls]


class LeasePlans:
    """Plans about leases that are open. `account` is whose they have to be, None where that is not known: a plan
    can be made for a wallet elsewhere."""

    def __init__(
        self, account: str | None, read: Callable[[int], Awaitable[Lease]], clock: Callable[[], float]
    ) -> None:
        self._account = account
        self._read = read
        self._clock = clock

    async def top_up(self, lease_id: int, amount: int) -> Plan:
        """Adds to the deposit, base units. Raises BadInput for a lease that does not run, or another wallet's."""
        lease = await self._read(lease_id)
        if self._account is not None:
            require_own(lease, self._account)
        require_running(lease, self._clock(), "a top-up")
        return Plan((ContractCall(ESCROW, "topUp", (lease_id, amount)),), Payment(lease.token, amount))

    def end(self, view: LeaseView) -> Plan:
        """Stops the stream now, or where the minimum is still to be paid, at its end; a pending lease is cancelled, one
        left early is ended where that has become free. Raises BadInput for one that is over or not ours."""
        lease = view.lease
        require_endable(lease, self._account)
        require_leavable(lease, view.leaving.free is not None, moment(lease.stop))
        function = "cancel" if lease.status is LeaseStatus.PENDING else "end"
        return Plan((ContractCall(ESCROW, function, (lease.lease_id,)),))

    def downtime(self, lease_id: int, offer: Offer, found: DowntimeFound) -> Plan:
        """Has the escrow credit downtime, epoch by epoch."""
        return Plan(tuple(one.call(lease_id, offer) for one in found.claimable))

    def refund(self, lease_id: int, receiver: str) -> Plan:
        """Collects what the escrow owes back."""
        return Plan((ContractCall(ESCROW, "refund", (lease_id, receiver)),))

    def name_refunder(self, agent: str, may: bool) -> Plan:
        """Lets an account submit the downtime of this wallet's leases, or no longer."""
        return Plan((ContractCall(ESCROW, "nameRefunder", (agent, may)),))
