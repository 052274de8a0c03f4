"""Calldata for FraudProofs, and what a proof costs: commit first, reveal two blocks later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode

from assay.proof.fraud import BrokenChain, WrongElement
from assay.protocol.encoding import u256
from assay.protocol.keccak import keccak
from assay.protocol.messages import Commitment

_COMMITMENT = "(uint64,bytes32,bytes32,bytes32,bytes32,bytes32,bytes32)"
_ROUND = "(uint32,bytes32,bytes32,bytes32[])"
_ELEMENT = "(uint32,uint32,bytes,bytes32[])"

# Gas of proveWrongElement less base fee and calldata, measured on anvil at K = 4,096 and 65,536, two per cent up;
# tests/contracts/test_fraud_from_openings.py holds the estimate to what is used.
_GAS_FIXED = 202_500
_GAS_PER_ENTRY = 23.6
COMMIT_GAS = 46_000


@dataclass(frozen=True, slots=True)
class FraudCall:
    """Two transactions: `commit` at once, `prove` two or more blocks later, from the same account."""

    commit: bytes
    prove: bytes

    def gas(self, inner_length: int) -> int:
        """Estimate of both transactions together, for K = inner_length."""
        work = _GAS_FIXED + round(_GAS_PER_ENTRY * inner_length)
        return COMMIT_GAS + 21_000 + calldata_gas(self.prove) + work


def calldata_gas(data: bytes) -> int:
    """4 for a zero byte, 16 for another."""
    zeros = data.count(0)
    return 4 * zeros + 16 * (len(data) - zeros)


def wrong_element_call(
    commitment: Commitment, signature: bytes, fault: WrongElement, reporter: str, salt: bytes
) -> FraudCall:
    """Calldata of FraudProofs.commit and .proveWrongElement.

    Args:
        commitment: what the device signed.
        signature: its compact signature, 64 bytes.
        fault: from `fraud.find_wrong_element`.
        reporter: account that sends both and gets the bounty.
        salt: 32 secret bytes; until the reveal nobody can tell which proof it is.
    """
    round_argument, element = fault.arguments()
    types = [_COMMITMENT, _ROUND, _ELEMENT]
    values = [_commitment_values(commitment, signature), round_argument, element]
    return _call("proveWrongElement", types, values, reporter, salt)


def broken_chain_call(
    commitment: Commitment, signature: bytes, fault: BrokenChain, reporter: str, salt: bytes
) -> FraudCall:
    """Calldata of FraudProofs.commit and .proveBrokenChain; arguments as in `wrong_element_call`."""
    types = [_COMMITMENT, f"{_ROUND}[]"]
    values = [_commitment_values(commitment, signature), fault.arguments()]
    return _call("proveBrokenChain", types, values, reporter, salt)


def _commitment_values(c: Commitment, signature: bytes) -> tuple[Any, ...]:
    if len(signature) != 64:
        raise ValueError(f"signature: {len(signature)} bytes, expected the 64 of a compact one")
    return c.epoch, c.job_hash, c.device_id, c.nonce_root, c.result_root, signature[:32], signature[32:]


def commit_hash(reporter: str, proof_call: bytes) -> bytes:
    """What FraudProofs.commit takes: H(abi.encode(reporter, H(calldata of the call that will make the proof)))."""
    return keccak(u256(reporter) + keccak(proof_call))


def _call(function: str, types: list[str], values: list[Any], reporter: str, salt: bytes) -> FraudCall:
    selector = keccak(f"{function}({','.join([*types, 'bytes32'])})".encode())[:4]
    prove = selector + encode([*types, "bytes32"], [*values, salt])
    return FraudCall(keccak(b"commit(bytes32)")[:4] + commit_hash(reporter, prove), prove)
