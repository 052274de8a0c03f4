"""Tells people what happens on the chain while it happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from assay.devnet.demo.tables import NETWORK_TOKEN_DECIMALS, amount, short
from assay.devnet.network import Network
from assay.devnet.progress import Progress
from assay.protocol.hexadecimal import to_hex

POLL_SECONDS = 0.5


class Narrator:
    """Prints one line for each event that matters to the story, in the order of the chain."""

    def __init__(self, network: Network, progress: Progress) -> None:
        self._network = network
        self._progress = progress
        self._ledger = network.ledger
        self._next_block = 0
        self._lines: dict[tuple[str, str], Callable[[Any], str]] = {
            ("EpochOracle", "EpochOpened"): self._opened,
            ("EpochOracle", "EpochSealed"): self._sealed,
            ("EpochOracle", "EpochDrawn"): self._drawn,
            ("EpochOracle", "EpochReported"): self._reported,
            ("EpochOracle", "EpochVoided"): self._voided,
            ("FraudProofs", "ProofCommitted"): self._committed,
            ("FraudProofs", "WrongElementShown"): self._shown,
            ("FraudProofs", "FaultProven"): self._proven,
            ("StakeManager", "SlashSettled"): self._burned,
            ("LeaseEscrow", "LeaseStarted"): self._started,
            ("LeaseEscrow", "LeaseClaimed"): self._claimed,
        }

    async def run(self) -> None:
        """Follow the chain until cancelled."""
        while True:
            for line in await asyncio.to_thread(self._new_lines):
                self._progress.chain(line)
            await asyncio.sleep(POLL_SECONDS)

    def _new_lines(self) -> list[str]:
        latest = self._ledger.height()
        if latest < self._next_block:
            return []
        found = []
        for (contract, event), line in self._lines.items():
            for log in self._ledger.events(contract, event, self._next_block, latest):
                found.append(((log["blockNumber"], log["logIndex"]), line(log["args"])))
        self._next_block = latest + 1
        return [text for _, text in sorted(found)]

    def _opened(self, args: Any) -> str:
        return f"epoch {args['epoch']} opened, seed {short(to_hex(args['epochSeed']))}"

    def _sealed(self, args: Any) -> str:
        signers = bin(args["signers"]).count("1")
        return f"epoch {args['epoch']} sealed: {args['count']} commitments, {signers} signatures"

    def _drawn(self, args: Any) -> str:
        return f"epoch {args['epoch']} drawn: rows to open follow from ρ {short(to_hex(args['rho']))}"

    def _reported(self, args: Any) -> str:
        signers = bin(args["signers"]).count("1")
        return f"epoch {args['epoch']} reported, {signers} signatures"

    def _voided(self, args: Any) -> str:
        return f"epoch {args['epoch']} void: it pays nobody and holds up nothing"

    def _committed(self, args: Any) -> str:
        return f"{self._network.name_of(args['reporter'])} commits to a proof of fault"

    def _shown(self, args: Any) -> str:
        where = f"round {args['t']}, row {args['i']}, column {args['j']}"
        return f"FraudProofs recomputes {where}: {args['claimed']} was claimed, {args['correct']} is right"

    def _proven(self, args: Any) -> str:
        taken = amount(args["amount"], NETWORK_TOKEN_DECIMALS)
        return f"[red]{self._network.name_of(args['account'])} is slashed {taken} ASY[/], which are on hold"

    def _burned(self, args: Any) -> str:
        bounty, burned = (amount(args[name], NETWORK_TOKEN_DECIMALS) for name in ("bounty", "burned"))
        return f"the hold is over: {bounty} ASY to {self._network.name_of(args['reporter'])}, {burned} ASY burned"

    def _started(self, args: Any) -> str:
        return f"lease {args['leaseId']} starts; bond {args['bond']} base units"

    def _claimed(self, args: Any) -> str:
        return f"lease {args['leaseId']}: the provider claims {args['amount']} base units, fee {args['fee']}"
