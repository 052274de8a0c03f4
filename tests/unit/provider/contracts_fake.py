"""The contracts' views that a provider asks, from a table of its own for the final block and for the head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from types import SimpleNamespace
from typing import Any

from assay.chain.contracts.erc20 import ALLOWANCE, APPROVE, BALANCE_OF, DECIMALS, SYMBOL
from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.chain.errors import Reverted
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import ContractCall
from assay.chain.transactions.receipts import Receipt
from assay.protocol.encoding import u256
from assay.protocol.typed_message import camel_case

from .conftest import OFFER, PROVIDER, lease_on

ESCROW_ADDRESS = "0x" + "22" * 20
NO_LEASE = lease_on(OFFER, 0, status=LeaseStatus.NONE, provider="0x" + "00" * 20)
FINAL = Block(10, bytes([10]) * 32, bytes([9]) * 32, 1_000, 10**9)
HEAD = Block(12, bytes([12]) * 32, bytes([11]) * 32, 1_024, 10**9)


@dataclass
class State:
    """What stands in the contracts at one block."""

    operators: dict[str, tuple[int, int]] = field(default_factory=dict)  # scopes, until
    payout: str = PROVIDER
    credit: tuple[int, int, int] = (0, 0, 0)  # amount, a day, left today
    balance: int = 0
    leased: dict[bytes, Lease] = field(default_factory=dict)
    inactive: set[bytes] = field(default_factory=set)
    floors: dict[tuple[bytes, str], int] = field(default_factory=dict)
    claimable: int = 0
    leases: dict[int, Lease] = field(default_factory=dict)


@dataclass
class ContractsFake:
    """Stands in for Chain. `asked` counts views by name."""

    final: State = field(default_factory=State)
    latest: State = field(default_factory=State)
    final_block: Block = FINAL
    head_block: Block = HEAD
    asked: list[str] = field(default_factory=list)

    @property
    def deployment(self) -> Any:
        return SimpleNamespace(address=lambda name: ESCROW_ADDRESS, block=1)

    def both(self, **changes: Any) -> None:
        """Changes the state at the final block and at the head alike."""
        for state in (self.final, self.latest):
            for name, value in changes.items():
                setattr(state, name, value)

    async def finalised(self) -> Block:
        return self.final_block

    async def recent_final(self) -> Block:
        return self.final_block

    async def recent_head(self) -> Block:
        return self.head_block

    async def head(self) -> Block:
        return self.head_block

    async def call(self, contract: str, function: str, *args: Any, at: Any = None) -> Any:
        self.asked.append(function)
        state = self.latest if at in ("latest", self.head_block) else self.final
        match function:
            case "operatorOf":
                scopes, until = state.operators.get(args[1], (0, 0))
                return SimpleNamespace(scopes=scopes, until=until)
            case "mayAct":
                scopes, until = state.operators.get(args[1], (0, 0))
                return until >= HEAD.timestamp and scopes & args[2] == args[2]
            case "payoutOf":
                return state.payout
            case "bondCredit":
                return SimpleNamespace(amount=state.credit[0], perDay=state.credit[1], leftToday=state.credit[2])
            case "activeLease":
                lease = state.leased.get(args[0])
                return lease.lease_id if lease else 0
            case "lease":
                held = {one.lease_id: one for one in state.leased.values()}
                found = {**held, **state.leases}.get(args[0], NO_LEASE)
                return SimpleNamespace(**{camel_case(name): value for name, value in asdict(found).items()})
            case "device":
                return SimpleNamespace(status=2 if args[0] in state.inactive else 1)
            case "checkLeasable":
                for device_id in args[1]:
                    if device_id in state.inactive:
                        raise Reverted("checkLeasable", "DeviceRegistry_NotActive", {"deviceId": device_id})
                return None
            case "nonceFloor":
                return state.floors.get((args[0], args[1]), 0)
            case "maxDowntime":
                return 300
            case "claimable" | "bondReturnable":
                return state.claimable
        raise AssertionError(f"{contract}.{function} was not expected")

    def encode(self, call: ContractCall) -> bytes:
        """Calldata that can be read."""
        return repr((call.function, *call.args)).encode()

    async def rpc(self, method: str, params: list[Any], read: Callable[[Any], Any] = lambda answer: answer) -> Any:
        assert method == "eth_call"
        return read(self._answer(params))

    def _answer(self, params: list[Any]) -> str:
        data = bytes.fromhex(params[0]["data"][2:])
        match data[:4]:
            case selector if selector == BALANCE_OF:
                return "0x" + u256(self.latest.balance).hex()
            case selector if selector == ALLOWANCE:
                return "0x" + u256(0).hex()
            case selector if selector == DECIMALS:
                return "0x" + u256(6).hex()
            case selector if selector == SYMBOL:
                return "0x" + (u256(32) + u256(3) + b"USD".ljust(32, b"\0")).hex()
        raise AssertionError(f"{data.hex()} was not expected")


@dataclass
class SenderFake:
    """Remembers what was sent, and for what purpose."""

    address: str
    sent: list[ContractCall] = field(default_factory=list)
    purposes: list[str | None] = field(default_factory=list)
    approved: list[int] = field(default_factory=list)

    async def send(self, call: ContractCall, *, label: str | None = None, purpose: str | None = None) -> Receipt:
        self.sent.append(call)
        self.purposes.append(purpose)
        return Receipt(str(call), bytes(32), 1, bytes(32), 1, True)

    async def send_raw(self, recipient: str, data: bytes, *, label: str) -> Receipt:
        assert data[:4] == APPROVE
        self.approved.append(int.from_bytes(data[36:], "big"))
        return Receipt(label, bytes(32), 1, bytes(32), 1, True)
