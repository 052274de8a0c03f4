"""An escrow and a runtime that remember what was asked of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from assay.chain.contracts.leases import Lease
from assay.chain.errors import ChainError
from assay.protocol.messages import Offer
from assay.provider.errors import Unavailable
from assay.provider.ports import Mined
from assay.provider.runtime.workload import Outcome, Workload


@dataclass
class EscrowFake:
    due: int = 0
    bond: int = 0
    calls: list[tuple[str, int]] = field(default_factory=list)
    failing: set[int] = field(default_factory=set)

    started: list[tuple[Lease, Offer, bytes, int, bytes]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    async def start(self, lease: Lease, offer: Offer, roots: bytes, valid_until: int, signature: bytes) -> Mined:
        self.started.append((lease, offer, roots, valid_until, signature))
        return Mined("0x", 1)

    async def end(self, lease: Lease) -> Mined:
        return self._called("end", lease)

    async def give_notice(self, lease: Lease) -> Mined:
        return self._called("notice", lease)

    async def release(self, lease: Lease) -> Mined:
        return self._called("release", lease)

    def _called(self, what: str, lease: Lease) -> Mined:
        self.calls.append((what, lease.lease_id))
        if what in self.refused:
            raise ChainError(f"{what} reverts")
        return Mined("0x", 1)

    async def claim(self, lease_id: int) -> Mined:
        if "claim" in self.refused:
            raise Unavailable("the operator lacks the scope claim")
        self.calls.append(("claim", lease_id))
        self.due = 0
        return Mined("0x", 1)

    async def return_bond(self, lease_id: int) -> Mined:
        self.calls.append(("bond", lease_id))
        self.bond = 0
        return Mined("0x", 1)

    async def claimable(self, lease_id: int) -> int:
        if lease_id in self.failing:
            raise ChainError("no answer")
        return self.due

    async def bond_returnable(self, lease_id: int) -> int:
        return self.bond


@dataclass
class RuntimeFake:
    """Jobs that run until they are killed, known by their control folder."""

    name: str = "fake"
    running: dict[Path, float] = field(default_factory=dict)
    killed: dict[Path, str] = field(default_factory=dict)
    launched: list[Workload] = field(default_factory=list)
    unkept: list[int] = field(default_factory=list)  # leases of what runs though no job of them does

    def check(self) -> None: ...

    def owner_of(self, lease_id: int) -> tuple[int, int] | None:
        return None

    def launch(self, workload: Workload) -> None:
        self.launched.append(workload)
        self.running[workload.control] = workload.deadline

    def inspect(self, control: Path) -> Outcome:
        if control in self.running:
            return Outcome("running")
        return Outcome("killed", 137, self.killed.get(control))

    def extend(self, control: Path, deadline: float) -> None:
        self.running[control] = deadline

    def shell(self, workload: Workload) -> list[str] | None:
        return None

    def sweep(self, leases: Path, may_run: Callable[[int], bool]) -> int:
        stray = [one for one in self.unkept if not may_run(one)]
        self.unkept = [one for one in self.unkept if may_run(one)]
        return len(stray)

    def clear(self, workspace: Path) -> None: ...

    def kill(self, control: Path, reason: str) -> Outcome:
        del self.running[control]
        self.killed[control] = reason
        return Outcome("killed", 137, reason)
