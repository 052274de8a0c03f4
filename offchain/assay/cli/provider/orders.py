"""How provider commands that send end: shown, asked about, sent, or printed for a key that is elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.provider.endings import finish
from assay.cli.provider.options import SendingOptions
from assay.cli.renter.options import Asking
from assay.provider.errors import BadProviderSetting

if TYPE_CHECKING:
    from assay.chain.rpc.client import ContractCall
    from assay.provider.account.authority import Authority
    from assay.provider.settings import ProviderSettings

Kind = Literal["notices", "releases", "ends"]


@dataclass(frozen=True)
class OrderPlan:
    """Calls to send in order, the question before them, and what is shown of them beside the transactions.

    `approve` is (token, amount) that the escrow must be let take first; `kind` and `lease_id` say how a running daemon
    is told to do it.
    """

    calls: Sequence[ContractCall]
    question: str
    shown: Mapping[str, Any] = field(default_factory=dict)
    approve: tuple[str, int] | None = None
    kind: Kind | None = None
    lease_id: int = 0


def order(
    given: SendingOptions,
    asking: Asking,
    output: OutputFormat,
    prepare: Callable[[Authority, ProviderSettings], Awaitable[OrderPlan]],
    *,
    own_key: bool,
) -> None:
    """Carries a plan out, or with --dry-run prints its transactions. `own_key`: only the provider's own key can."""

    async def work() -> tuple[list[dict[str, Any]], dict[str, Any]]:
        from assay.provider.reading import reading

        settings = given.settings()
        async with reading(settings) as authority:
            if own_key and authority.is_operator and not asking.dry_run:
                raise BadProviderSetting(
                    f"{authority.signer} is not {authority.provider}, for whom alone this is: name its key with "
                    "--key-file, or print the transaction for it with --dry-run"
                )
            plan = await prepare(authority, settings)
            if asking.dry_run:
                return await _planned(authority, plan), {}
        asking.confirm(plan.question)
        return [], await _sent(settings, plan)

    planned, values = finish(work())
    if asking.dry_run:
        from assay.cli.renter.rows import PLAN_COLUMNS

        return show_rows("transactions", planned, PLAN_COLUMNS, output)
    show(values, output)
    if values.get("byDaemon"):
        note("the daemon that runs with this key does it at the next block; its log says so")


async def _sent(settings: ProviderSettings, plan: OrderPlan) -> dict[str, Any]:
    """What is shown once the calls are mined, or left to the daemon that holds the key's journal."""
    from assay.chain.contracts.erc20 import Erc20
    from assay.chain.errors import JournalInUse
    from assay.provider.connection import sending

    done: list[dict[str, Any]] = []
    by_daemon = {"byDaemon": False} if plan.kind else {}
    try:
        async with sending(settings) as at_hand:
            if plan.approve is not None:
                token, amount = plan.approve
                escrow = at_hand.chain.deployment.address("LeaseEscrow")
                if gas := await Erc20(at_hand.chain, token).approve(at_hand.sender, escrow, amount):
                    done.append({"name": "ERC20.approve", "hash": None, "gas": gas})
            for call in plan.calls:
                receipt = await at_hand.sender.send(call)
                done.append({"name": str(call), "hash": receipt.transaction_hash, "gas": receipt.gas_used})
    except JournalInUse:
        if plan.kind is None:
            raise
        _leave_to_daemon(settings, plan.kind, plan.lease_id)
        by_daemon = {"byDaemon": True}
    return {**plan.shown, **by_daemon, "transactions": done}


def _leave_to_daemon(settings: ProviderSettings, kind: Kind, lease_id: int) -> None:
    """Tells the daemon that holds the key's journal, in the file that it reads at each block."""
    from assay.provider.offers.terms import TermsFile

    file = TermsFile(settings.data_dir)
    file.write(file.read().with_order(kind, lease_id))


async def _planned(authority: Authority, plan: OrderPlan) -> list[dict[str, Any]]:
    from assay.chain.contracts.erc20 import APPROVE
    from assay.cli.renter.rows import planned_json
    from assay.protocol.encoding import u256
    from assay.protocol.hexadecimal import to_hex
    from assay.renter.lease.planned import Planned, planned_call

    chain = authority.chain
    planned = [planned_call(chain, call) for call in plan.calls]
    if plan.approve is not None:
        token, amount = plan.approve
        data = APPROVE + u256(chain.deployment.address("LeaseEscrow")) + u256(amount)
        planned.insert(0, Planned("ERC20.approve", token, to_hex(data)))
    return planned_json(planned)
