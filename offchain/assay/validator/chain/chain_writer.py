"""The transactions of an epoch, through the one sender of this key."""

from __future__ import annotations

import structlog

from assay.chain.errors import ChainError, Reverted
from assay.chain.rpc.client import ContractCall
from assay.chain.transactions.sender import Sender
from assay.protocol.messages import EpochReport, Seal
from assay.validator.ports import Transaction

ORACLE = "EpochOracle"
log = structlog.get_logger()


class ContractWriter:
    """Sends what the phases ask for; what a simulation refuses was done by somebody else, or is too late."""

    def __init__(self, sender: Sender, timeout_s: float) -> None:
        self._sender = sender
        self._timeout_s = timeout_s

    async def open_epoch(self, epoch: int) -> Transaction | None:
        return await self._send(ContractCall(ORACLE, "openEpoch", (epoch,)), "openEpoch", epoch)

    async def seal(self, seal: Seal, signers: int, signatures: bytes) -> Transaction | None:
        arguments = (seal.epoch, seal.round, seal.seal_root, seal.count, (signers, signatures))
        return await self._send(ContractCall(ORACLE, "seal", arguments), "seal", seal.epoch, seal.round)

    async def draw(self, epoch: int) -> Transaction | None:
        return await self._send(ContractCall(ORACLE, "draw", (epoch,)), "draw", epoch)

    async def report(self, report: EpochReport, signers: int, signatures: bytes) -> Transaction | None:
        fields = (
            report.epoch,
            report.round,
            report.devices_root,
            report.rewards_root,
            report.rewards_total,
            report.data_hash,
        )
        call = ContractCall(ORACLE, "report", (fields, (signers, signatures)))
        return await self._send(call, "report", report.epoch, report.round)

    async def add_signature(
        self, epoch: int, is_report: bool, round_: int, seat: int, signature: bytes
    ) -> Transaction | None:
        call = ContractCall(ORACLE, "addSignatures", (epoch, is_report, round_, (1 << seat, signature)))
        return await self._send(call, "addSignatures", epoch, "report" if is_report else "seal")

    async def void(self, epoch: int) -> Transaction | None:
        return await self._send(ContractCall(ORACLE, "voidEpoch", (epoch,)), "voidEpoch", epoch)

    async def check_in(self, epoch: int) -> Transaction | None:
        return await self._send(ContractCall("ValidatorSet", "checkIn", (epoch,)), "checkIn", epoch)

    async def _send(self, call: ContractCall, label: str, epoch: int, place: int | str = "") -> Transaction | None:
        # After a stop the same step joins the transaction that the journal still follows.
        purpose = f"{label}:{epoch}:{place}"
        try:
            receipt = await self._sender.send(call, label=label, purpose=purpose, timeout_s=self._timeout_s)
        except Reverted as error:
            log.debug("not sent", call=label, reason=str(error))
            return None
        except ChainError as error:
            log.warning("transaction failed", call=label, error=str(error))
            return None
        return Transaction(receipt.transaction_hash, receipt.gas_used)
