"""A renter's signed result of a check, as markets take and serve it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from assay.protocol.hexadecimal import HexadecimalError, parse_signature, to_hex
from assay.protocol.messages import CheckResult
from assay.protocol.signing import Domain, SignatureError
from assay.protocol.typed_message import MessageError

LEAST_PAID_S = 600  # of rent before a result counts: inventing one costs that much
CLOCKS_APART_S = 120


class CheckError(ValueError):
    """A result off its form, or a signature that is none."""


class SignedCheck(NamedTuple):
    """A result with its signature."""

    result: CheckResult
    signature: bytes

    def to_json(self) -> dict[str, Any]:
        """The fields, and the signature beside them."""
        return {**self.result.to_json(), "signature": to_hex(self.signature)}

    def row(self) -> dict[str, Any]:
        """By the names of a table's columns."""
        return {**asdict(self.result), "signature": self.signature}

    @classmethod
    def from_json(cls, data: Any) -> SignedCheck:
        """From outside. Raises CheckError."""
        if not isinstance(data, Mapping):
            raise CheckError("a result that is not an object")
        fields = {name: value for name, value in data.items() if name != "signature"}
        try:
            return cls(CheckResult.from_json(fields), parse_signature(data.get("signature", "")))
        except (HexadecimalError, MessageError) as error:
            raise CheckError(f"a malformed result: {error}") from None

    def signer(self, domain: Domain) -> str:
        """Who signed it. Raises CheckError."""
        try:
            return self.result.recover_signer(domain, self.signature)
        except SignatureError as error:
            raise CheckError(f"a result with a malformed signature: {error}") from None


def fault_of_times(result: CheckResult, start: int, stop: int, now: int) -> str:
    """Why a result of a lease that ran from `start` to `stop` does not count at `now`; empty where it does."""
    if not start:
        return "the lease has not started"
    paid = max(0, min(now, stop) - start)
    if paid < LEAST_PAID_S:
        return f"{paid} s of the lease have been paid for, {LEAST_PAID_S} s are the least"
    if not start <= result.checked_at <= min(now, stop) + CLOCKS_APART_S:
        return f"checkedAt is {result.checked_at}, the lease runs from {start} to {stop}, and it is {now}"
    return ""
