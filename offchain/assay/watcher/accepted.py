"""What seats signed on the chain itself: signatures in the transactions that sealed and reported an epoch, and answers
to demands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eth_abi.exceptions import DecodingError
from web3.exceptions import Web3Exception

from assay.chain.blocks import Block
from assay.chain.client import Chain
from assay.chain.events import Event, event_pieces
from assay.protocol.hexadecimal import parse_address, parse_hex, to_hex
from assay.watcher.rules.seat_faults import Scene
from assay.wire.statements import SignedReport, SignedSeal, SignedStatement, Statement

ORACLE_EVENTS = ("EpochSealed", "EpochReported")
MOST_CALLDATA = 1 << 20


class AcceptedStatements:
    """The transactions that sealed and reported, followed through events; each refresh reads only what is new."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._events: dict[tuple[str, int], Event] = {}
        self._next = chain.deployment.block
        self._last: Block | None = None

    async def refresh(self, until: Block) -> None:
        """Reads up to a final block; starts over after a reorganisation. Raises ChainError."""
        if self._last is not None and not await self._chain.is_canonical(self._last):
            self._events, self._next = {}, self._chain.deployment.block
        async for end, events in event_pieces(self._chain, "EpochOracle", ORACLE_EVENTS, self._next, until):
            for event in events:
                self._events[event.name, event.args["epoch"]] = event
            self._next = end + 1
        self._last = until

    def reports_before(self, epoch: int) -> list[int]:
        """Reported epochs before this one, latest first."""
        return sorted((e for name, e in self._events if name == "EpochReported" and e < epoch), reverse=True)

    def round_of(self, what: int, epoch: int) -> int | None:
        """The round of the accepted seal or report, None where there is none."""
        event = self._events.get((ORACLE_EVENTS[0] if what == Statement.SEAL else ORACLE_EVENTS[1], epoch))
        return None if event is None else int(event.args["round"])

    async def statements(self, scene: Scene, what: int) -> list[SignedStatement]:
        """The accepted seal or report as each of its signers signed it; none where its transaction hides them."""
        event = self._events.get((ORACLE_EVENTS[0] if what == Statement.SEAL else ORACLE_EVENTS[1], scene.epoch))
        if event is None:
            return []
        arguments = await transaction_arguments(self._chain, "EpochOracle", event.transaction)
        if arguments is None or "quorum" not in arguments:
            return []
        args, quorum = event.args, arguments["quorum"]
        mask, packed = int(quorum["signers"]), bytes(quorum["signatures"])
        signers = [seat for seat in scene.seats if mask >> seat.index & 1]
        found: list[SignedStatement] = []
        for i, seat in enumerate(signers):
            round_, signature = int(args["round"]), packed[64 * i : 64 * i + 64]
            if what == Statement.SEAL:
                found.append(
                    SignedSeal(
                        round=round_, seat=seat.account, epoch_seed=scene.epoch_seed, seal_root=bytes(args["sealRoot"]),
                        count=int(args["count"]), signature=signature,
                    )
                )  # fmt: skip
            else:
                found.append(
                    SignedReport(
                        round=round_, seat=seat.account, rho=scene.rho, devices_root=bytes(args["devicesRoot"]),
                        rewards_root=bytes(args["rewardsRoot"]), rewards_total=int(args["rewardsTotal"]),
                        data_hash=bytes(args["dataHash"]), signature=signature,
                    )
                )  # fmt: skip
        return found


async def transaction_arguments(chain: Chain, contract: str, transaction: bytes) -> Mapping[str, Any] | None:
    """Arguments of a transaction to a contract, by the ABI's names; None for one that is no call of it.

    Raises ChainError.
    """
    found = await chain.rpc("eth_getTransactionByHash", [to_hex(transaction)])
    try:
        if parse_address(found["to"]) != chain.deployment.address(contract):
            return None
        data = parse_hex(found["input"], "input", max_bytes=MOST_CALLDATA)
        arguments: Mapping[str, Any] = chain.contract(contract).decode_function_input(data)[1]
    except (KeyError, TypeError, ValueError, Web3Exception, DecodingError):
        return None
    return arguments
