"""Bringing proofs to the contract: commit, wait two blocks, reveal, slash who signed, also who signs later."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from eth_abi.abi import encode
from eth_utils.abi import get_abi_input_types

from assay.chain.contracts.devices import DeviceStatus
from assay.chain.errors import ChainError, NotSent, Reverted, TransactionFailed
from assay.chain.rpc.client import Chain, ContractCall
from assay.chain.transactions.sender import Sender
from assay.proof.fraud_calldata import commit_hash as commit_hash_of
from assay.protocol.epochs import Timing
from assay.protocol.hexadecimal import to_hex
from assay.protocol.types import DeviceId
from assay.watcher.evidence import EvidenceFolder
from assay.watcher.faults import QUORUM_FAULTS, FaultKind, ProvableFault, seat_subject
from assay.watcher.notebook import PlannedProof, WatcherNotebook


async def why_device_is_safe(chain: Chain, device_id: DeviceId, epoch: int) -> str:
    """Why a device answers for nothing in an epoch; empty where it does. Raises ChainError."""
    liable = await chain.call("DeviceRegistry", "liability", device_id, at="latest")
    if liable.status == DeviceStatus.SLASHED:
        return "it has been slashed already"
    if not liable.first <= epoch <= liable.last:
        return f"it answers for epochs {liable.first} to {liable.last}"
    return ""


async def why_fault_is_idle(chain: Chain, fault: ProvableFault) -> str:
    """Why proving a fault would take nothing from anybody; empty where it would. Raises ChainError."""
    if fault.of_device:
        return await why_device_is_safe(chain, DeviceId(fault.subject), fault.epoch)
    if fault.signer:
        return await why_seat_is_safe(chain, fault.account, fault.signer)
    return ""


async def why_seat_is_safe(chain: Chain, account: str, signer: str) -> str:
    """Why nothing of the seat that a key signed for can be slashed; empty where something can. Raises ChainError."""
    member = await chain.call("ValidatorSet", "member", account, at="latest")
    if not member.reserved:
        return "nothing is left at stake for its seat"
    if member.signer != signer:
        return f"its present seat is another one, of signer {member.signer}"
    return ""


CONTRACT = "FraudProofs"
REVEAL_DELAY = 2  # blocks: who merely sees a reveal cannot be there before it
# Refusals that a later block may take back.
_NOT_YET = frozenset({"FraudProofs_RevealTooEarly", "FraudProofs_NotCommitted"})
_EXPIRED = "FraudProofs_CommitExpired"
log = structlog.get_logger()


class Prosecutor:
    """Brings proofs through one sender. `random` gives salts."""

    def __init__(
        self,
        chain: Chain,
        timing: Timing,
        sender: Sender,
        notebook: WatcherNotebook,
        evidence: EvidenceFolder,
        random: Callable[[int], bytes],
    ) -> None:
        self._chain, self._timing, self._sender, self._notebook = chain, timing, sender, notebook
        self._evidence, self._random = evidence, random
        self._seen: dict[bytes, set[int]] = {}  # commit hash -> signers of its fault that were dealt with

    async def bring(self, fault: ProvableFault) -> None:
        """Plans a proof and carries it as far as it goes now. Raises ChainError."""
        if self._notebook.is_planned(fault.kind, fault.subject, fault.epoch):
            return
        if await self.is_proven(fault.kind, fault.subject, fault.epoch):
            return
        if idle := await why_fault_is_idle(self._chain, fault):
            # A device convicted in an earlier epoch may have been challenged once more before that was final.
            log.info("nothing to slash", kind=fault.kind.name.lower(), epoch=fault.epoch, reason=idle)
            return
        salt = self._random(32)
        arguments = encode(self._types(fault.function)[:-1], list(fault.arguments))
        calldata = self._chain.encode(ContractCall(CONTRACT, fault.function, (*fault.arguments, salt)))
        evidence = self._evidence.keep(fault, arguments)
        commit_hash = commit_hash_of(self._sender.address, calldata)
        if self._notebook.plan(fault.kind, fault.subject, fault.epoch, commit_hash, calldata, evidence):
            log.info(
                "fault found",
                kind=fault.kind.name.lower(),
                subject=to_hex(fault.subject),
                epoch=fault.epoch,
                what=fault.words,
                evidence=to_hex(evidence),
            )
        await self.go_on()

    async def go_on(self) -> None:
        """Commits what is planned, reveals what was committed two blocks ago or earlier, slashes who signed.

        Raises ChainError where the chain is gone.
        """
        for proof in self._notebook.unfinished():
            try:
                await self._go_on(proof)
            except Reverted as error:
                await self._refused(proof, error)
            except (TransactionFailed, NotSent) as error:
                log.warning("proof failed in its block, trying again", epoch=proof.epoch, reason=str(error))

    async def is_proven(self, kind: FaultKind, subject: bytes, epoch: int) -> bool:
        """Whether the contract holds the fault as proven."""
        return bool(await self._chain.call(CONTRACT, "proven", int(kind), subject, epoch, at="latest"))

    async def _go_on(self, proof: PlannedProof) -> None:
        if proof.recorded:
            await self._slash_signers(proof)
            return
        block = proof.block if proof.block is not None else await self._commit(proof)
        if (await self._chain.head()).number >= block + REVEAL_DELAY:
            await self._reveal(proof)

    async def _commit(self, proof: PlannedProof) -> int:
        receipt = await self._sender.send(
            ContractCall(CONTRACT, "commit", (proof.commit_hash,)),
            label="commitProof",
            purpose=f"commit:{proof.commit_hash.hex()}:{proof.tries}",
        )
        self._notebook.committed(proof.commit_hash, receipt.block_number)
        return receipt.block_number

    async def _reveal(self, proof: PlannedProof) -> None:
        kind = FaultKind(proof.kind)
        receipt = await self._sender.send_raw(
            self._chain.deployment.address(CONTRACT),
            proof.calldata,
            label=f"prove-{kind.name.lower()}",
            purpose="reveal:" + proof.commit_hash.hex(),
        )
        log.info(
            "fault proven",
            kind=kind.name.lower(),
            subject=to_hex(proof.subject),
            epoch=proof.epoch,
            transaction=receipt.transaction_hash,
            gas=receipt.gas_used,
            evidence=to_hex(proof.evidence),
        )
        if kind in QUORUM_FAULTS:
            self._notebook.recorded(proof.commit_hash)
            await self._slash_signers(proof)
        else:
            self._notebook.close_proof(proof.commit_hash, "proven")

    async def _slash_signers(self, proof: PlannedProof) -> None:
        """Each signer in a transaction of its own, so that no number of them makes the proof too dear; those who sign
        late too, for as long as the oracle takes signatures."""
        kind = FaultKind(proof.kind)
        fault = await self._chain.call(CONTRACT, "quorumFault", kind, proof.epoch, at="latest")
        shown = await self._chain.call("EpochOracle", "presence", proof.epoch, at="latest")
        now = shown.sealSigners if kind is FaultKind.BAD_SEAL else shown.reportSigners
        signers = fault.signers | (now if shown.setId == fault.setId else 0)
        done = self._seen.setdefault(proof.commit_hash, set())
        for seat in (bit for bit in range(32) if signers >> bit & 1 and bit not in done):
            await self._slash_signer(proof, fault.setId, seat)
            done.add(seat)
        closes = self._timing.start(proof.epoch) + self._timing.draw_by
        closes += 0 if kind is FaultKind.BAD_SEAL else self._timing.epoch_length
        if (await self._chain.finalised()).timestamp > closes:
            self._notebook.close_proof(proof.commit_hash, "proven")
            del self._seen[proof.commit_hash]

    async def _slash_signer(self, proof: PlannedProof, set_id: int, seat: int) -> None:
        account, signer = await self._chain.call("ValidatorSet", "seatAt", set_id, seat, at="latest")
        if await self.is_proven(FaultKind(proof.kind), seat_subject(account), proof.epoch):
            return
        if safe := await why_seat_is_safe(self._chain, account, signer):
            log.info("signer not slashed", account=account, epoch=proof.epoch, reason=safe)
            return
        try:
            receipt = await self._sender.send(
                ContractCall(CONTRACT, "slashSigner", (proof.kind, proof.epoch, seat)),
                label="slashSigner",
                purpose=f"slash:{proof.kind}:{proof.epoch}:{seat}",
            )
        except Reverted as error:
            # Somebody else was first, or it was slashed for another fault: the others are slashed all the same.
            log.info("signer not slashed", account=account, epoch=proof.epoch, reason=str(error))
            return
        log.info("signer slashed", account=account, epoch=proof.epoch, transaction=receipt.transaction_hash)

    async def _refused(self, proof: PlannedProof, error: Reverted) -> None:
        kind = FaultKind(proof.kind)
        if error.name in _NOT_YET:
            return
        if error.name == _EXPIRED:
            self._notebook.expired(proof.commit_hash)
        elif not proof.recorded and await self.is_proven(kind, proof.subject, proof.epoch):
            self._notebook.close_proof(proof.commit_hash, "proven-by-another")
        else:
            self._notebook.close_proof(proof.commit_hash, "refused", str(error))
            log.error("proof refused", kind=kind.name.lower(), epoch=proof.epoch, reason=str(error))

    def _types(self, function: str) -> list[str]:
        for item in self._chain.deployment.contract(CONTRACT).abi:
            if item.get("type") == "function" and item.get("name") == function:
                return list(get_abi_input_types(item))  # type: ignore[arg-type]
        raise ChainError(f"{CONTRACT} has no function {function}; the deployment file is of another version")
