"""Whether there is anything left to slash for a fault, before gas is spent on proving it."""

from __future__ import annotations

from assay.chain.contracts.devices import DeviceStatus
from assay.chain.rpc.client import Chain
from assay.watcher.faults import ProvableFault


async def why_device_is_safe(chain: Chain, device_id: bytes, epoch: int) -> str:
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
        return await why_device_is_safe(chain, fault.subject, fault.epoch)
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
