"""What a renter must not forget between commands: the offer of a lease, and how far its handover came."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32, to_hex
from assay.protocol.messages import Offer
from assay.protocol.typed_message import MessageError
from assay.renter.errors import RenterError


@dataclass(frozen=True)
class LeaseFile:
    """One lease: the offer it was opened on; when the handover's nonce went out, seconds since 1970, None before; once
    the proofs convinced, the resultRoots in the offer's order, and the least rate that they showed."""

    lease_id: int
    offer: Offer
    asked_at: float | None = None
    roots: tuple[bytes, ...] = ()
    score_gops: int = 0

    def to_json(self) -> dict[str, Any]:
        """As it is stored; bytes as 0x-hex."""
        return {
            "leaseId": self.lease_id,
            "offer": self.offer.to_json(),
            "askedAt": self.asked_at,
            "roots": [to_hex(root) for root in self.roots],
            "scoreGops": self.score_gops,
        }

    @classmethod
    def from_json(cls, data: Any) -> LeaseFile:
        """Of `to_json`'s form. Raises ValueError, KeyError, TypeError."""
        return cls(
            lease_id=int(data["leaseId"]),
            offer=Offer.from_json(data["offer"]),
            asked_at=None if data["askedAt"] is None else float(data["askedAt"]),
            roots=tuple(parse_bytes32(root, "root") for root in data["roots"]),
            score_gops=int(data.get("scoreGops", 0)),
        )


class LeaseFiles:
    """One file a lease, readable by the owner only, in a folder of the chain and escrow it belongs to."""

    def __init__(self, folder: Path, chain_id: int, escrow: str) -> None:
        self._folder = folder / "leases" / f"{chain_id}-{escrow.lower()}"

    def read(self, lease_id: int) -> LeaseFile | None:
        """What is kept of a lease. Raises RenterError for a damaged file."""
        path = self._path(lease_id)
        try:
            return LeaseFile.from_json(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, MessageError, HexadecimalError) as error:
            raise RenterError(f"{path}: cannot be read ({error}); move it away to begin anew") from None

    def write(self, lease: LeaseFile) -> None:
        """Keeps it; the file is there in whole or not at all."""
        path = self._path(lease.lease_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(lease.to_json(), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def _path(self, lease_id: int) -> Path:
        return self._folder / f"{lease_id}.json"
