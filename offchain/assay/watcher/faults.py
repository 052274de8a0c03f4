"""A fault that a contract can check: what is shown, against whom, with which arguments."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from assay.protocol.encoding import u256


class FaultKind(IntEnum):
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


# Faults of all who signed: recorded once, then slashed one by one.
QUORUM_FAULTS = frozenset({FaultKind.BAD_SEAL, FaultKind.UNSEALED_PASS, FaultKind.SHRUNK_REWARD})
DEVICE_FAULTS = frozenset(
    {FaultKind.WRONG_ELEMENT, FaultKind.BROKEN_CHAIN, FaultKind.TWO_COMMITMENTS, FaultKind.WITHHELD_OPENING}
)
NO_SUBJECT = bytes(32)


@dataclass(frozen=True, slots=True)
class ProvableFault:
    """`subject` is a device's id, a seat's account as a word, or zero for all signers of an epoch.

    `function` of FraudProofs takes `arguments` and a salt. `words` say what is wrong; `account` is whose stake answers,
    empty where it is that of many; `signer` is the key that signed for a seat, empty for a device.
    """

    kind: FaultKind
    subject: bytes
    epoch: int
    function: str
    arguments: tuple[Any, ...]
    words: str
    account: str = ""
    signer: str = ""

    @property
    def of_device(self) -> bool:
        """Whether a device's stake answers for it."""
        return self.kind in DEVICE_FAULTS


def seat_subject(account: str) -> bytes:
    """The word under which the contract keeps what was proven of a seat."""
    return u256(account)
