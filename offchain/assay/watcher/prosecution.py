"""Bringing proofs to the contract: commit, wait a block, reveal, collect the bounty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

import structlog
from eth_abi.abi import encode
from eth_utils.abi import get_abi_input_types

from assay.chain.client import Chain, ContractCall
from assay.chain.errors import ChainError, Reverted, TransactionFailed
from assay.chain.sender import Sender
from assay.protocol.encoding import abi_encode
from assay.protocol.keccak import keccak
from assay.watcher.notebook import Notebook

CONTRACT = "FraudProofs"
# Refusals that a later block may take back.
_NOT_YET = frozenset({"FraudProofs_RevealTooEarly", "FraudProofs_NotCommitted"})
log = structlog.get_logger()


class Kind(IntEnum):
    """As in IFraudProofs."""

    WRONG_ELEMENT = 1
    BROKEN_CHAIN = 2
    TWO_COMMITMENTS = 3
    WITHHELD_OPENING = 4
    TWO_STATEMENTS = 5
    FALSE_PASS = 6
    BAD_SEAL = 7
    UNSEALED_PASS = 8
    SHRUNK_REWARD = 9


class Prosecutor:
    """Brings proofs through one sender. `random` gives salts."""

    def __init__(self, chain: Chain, sender: Sender, notebook: Notebook, random: Callable[[int], bytes]) -> None:
        self._chain, self._sender, self._notebook, self._random = chain, sender, notebook, random

    async def bring(self, kind: Kind, function: str, subject: bytes, epoch: int, arguments: Sequence[Any]) -> None:
        """Plans a proof and carries it as far as it goes now. `arguments` are the function's without the
        salt.
        """
        if await self._proven(kind, subject, epoch):
            return
        salt = self._random(32)
        proof_hash = keccak(encode(self._types(function)[:-1], list(arguments)))
        words = abi_encode(
            ("address", "uint256", "bytes32", "bytes32"),
            (self._sender.address, int(kind), proof_hash, salt),
        )
        calldata = self._chain.encode(ContractCall(CONTRACT, function, (*arguments, salt)))
        if self._notebook.plan(int(kind), subject, epoch, keccak(words), calldata):
            log.info("fault found", kind=kind.name.lower(), subject="0x" + subject.hex(), epoch=epoch)
        await self.go_on()

    async def go_on(self) -> None:
        """Commits what is planned, reveals what was committed in an earlier block. Raises ChainError where
        the
        chain is gone."""
        for commit_hash, kind, subject, epoch, calldata, block in self._notebook.unfinished():
            try:
                if block is None:
                    block = await self._commit(commit_hash)
                head = await self._chain.head()
                if head.number > block:
                    await self._reveal(commit_hash, Kind(kind), subject, epoch, calldata)
            except Reverted as error:
                await self._refused(commit_hash, Kind(kind), subject, epoch, error)
            except TransactionFailed as error:
                log.warning("proof failed in its block, trying again", epoch=epoch, reason=str(error))

    async def collect(self) -> int:
        """Pays this watcher's bounties out to it; gives the amount in base units."""
        due: int = await self._chain.call("StakeManager", "bountyOf", self._sender.address, at="latest")
        if due:
            await self._sender.send(
                ContractCall("StakeManager", "collectBounty", (self._sender.address,)), label="collectBounty"
            )
            log.info("bounty collected", amount=str(due))
        return due

    async def _commit(self, commit_hash: bytes) -> int:
        receipt = await self._sender.send(
            ContractCall(CONTRACT, "commit", (commit_hash,)),
            label="commitProof",
            purpose="commit:" + commit_hash.hex(),
        )
        self._notebook.committed(commit_hash, receipt.block_number)
        return receipt.block_number

    async def _reveal(self, commit_hash: bytes, kind: Kind, subject: bytes, epoch: int, calldata: bytes) -> None:
        receipt = await self._sender.send_raw(
            self._chain.deployment.address(CONTRACT),
            calldata,
            label=f"prove-{kind.name.lower()}",
            purpose="reveal:" + commit_hash.hex(),
        )
        self._notebook.close_proof(commit_hash, "proven")
        log.info(
            "fault proven",
            kind=kind.name.lower(),
            subject="0x" + subject.hex(),
            epoch=epoch,
            transaction=receipt.transaction_hash,
            gas=receipt.gas_used,
        )
        await self.collect()

    async def _refused(self, commit_hash: bytes, kind: Kind, subject: bytes, epoch: int, error: Reverted) -> None:
        if error.name in _NOT_YET:
            return
        if await self._proven(kind, subject, epoch):
            self._notebook.close_proof(commit_hash, "proven-by-another")
        else:
            self._notebook.close_proof(commit_hash, "refused", str(error))
            log.error("proof refused", kind=kind.name.lower(), epoch=epoch, reason=str(error))

    async def _proven(self, kind: Kind, subject: bytes, epoch: int) -> bool:
        return bool(await self._chain.call(CONTRACT, "proven", int(kind), subject, epoch, at="latest"))

    def _types(self, function: str) -> list[str]:
        for item in self._chain.deployment.contract(CONTRACT).abi:
            if item.get("type") == "function" and item.get("name") == function:
                return list(get_abi_input_types(item))  # type: ignore[arg-type]
        raise ChainError(f"{CONTRACT} has no function {function}; the deployment file is of another version")
