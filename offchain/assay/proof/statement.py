"""What a proof is about: everything from which β and s_0 are derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assay.proof.errors import ProofFileError
from assay.protocol import seeds
from assay.protocol.hexadecimal import parse_address, parse_bytes32, to_hex
from assay.protocol.profile import Profile
from assay.protocol.types import DeviceId, Seed

_SIZES = ("id", "M", "N", "K", "T", "chunk", "k", "W")


@dataclass(frozen=True, slots=True)
class JobStatement:
    """One job of one device in one epoch."""

    profile: Profile
    chain_id: int
    oracle: str
    epoch: int
    beacon: bytes
    device_id: DeviceId
    nonce_root: bytes

    @property
    def epoch_seed(self) -> Seed:
        """β, 32 bytes."""
        return seeds.epoch_seed(self.chain_id, self.oracle, self.epoch, self.beacon)

    @property
    def device_seed(self) -> Seed:
        """s_0, 32 bytes."""
        return seeds.device_seed(self.epoch_seed, self.device_id, self.profile.id, self.nonce_root)

    def to_json(self) -> dict[str, Any]:
        """As it stands in the header of a file."""
        return {
            "profile": {name: getattr(self.profile, name) for name in _SIZES},
            "chainId": self.chain_id,
            "oracle": self.oracle,
            "epoch": self.epoch,
            "beacon": to_hex(self.beacon),
            "deviceId": to_hex(self.device_id),
            "nonceRoot": to_hex(self.nonce_root),
        }

    @classmethod
    def from_json(cls, values: Any, where: str) -> JobStatement:
        """From the header of a file. Raises ProofFileError."""
        try:
            sizes = values["profile"]
            profile = Profile(*(sizes[name] for name in _SIZES)).validate()
            return cls(
                profile,
                _integer(values["chainId"], 256),
                parse_address(values["oracle"]),
                _integer(values["epoch"], 64),
                parse_bytes32(values["beacon"]),
                DeviceId(parse_bytes32(values["deviceId"])),
                parse_bytes32(values["nonceRoot"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ProofFileError(f"{where}: corrupt: its header does not describe a job ({error})") from None


def _integer(value: Any, bits: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << bits:
        raise ValueError(f"{value!r} is not a number of {bits} bits")
    return value
