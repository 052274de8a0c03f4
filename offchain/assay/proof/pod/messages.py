"""What renter and pod say to each other: the pod prints lines, the renter puts files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from assay.proof.pod.begin import MARK
from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32
from assay.protocol.profile import Profile
from assay.protocol.text import printable
from assay.protocol.types import DeviceId, Seed

MAX_LINE = 4 << 10
MAX_TEXT = 300
_SIZES = ("id", "M", "N", "K", "T", "chunk", "k", "W")


class Question(StrEnum):
    """Files that the renter puts into the run's folder, one after the other, each with 32 bytes in hex."""

    ping = "ping"
    nonce = "nonce"  # H(x)
    walk = "walk"  # π of the memory probe
    reveal = "reveal"  # x
    done = "done"  # nothing more is asked, whatever came before


class ProverStep(StrEnum):
    """What a device's prover says, each step once."""

    ready = "ready"
    pong = "pong"
    proved = "proved"
    walked = "walked"
    opened = "opened"
    failed = "failed"


@dataclass(frozen=True, slots=True)
class Line:
    """One device's step. `root` is its result root or its lane root; `text` the engine and card, or what failed."""

    device: int
    step: ProverStep
    root: bytes = b""
    text: str = ""

    def written(self) -> str:
        """As the pod prints it."""
        body = {"device": self.device, "step": self.step.value, "root": self.root.hex(), "reason": self.text[:MAX_TEXT]}
        return MARK + json.dumps(body)

    @classmethod
    def read(cls, line: str, devices: int) -> Line | None:
        """Of a line of output; None for any other. Raises ValueError for one off its form."""
        if not line.startswith(MARK):
            return None
        if len(line) > MAX_LINE:
            raise ValueError("a line of the prover that is too long")
        try:
            data = json.loads(line[len(MARK) :])
        except RecursionError:
            raise ValueError("a line of the prover that is nonsense") from None
        if not isinstance(data, dict):
            raise ValueError("a line of the prover that is no object")
        device, step, root = data.get("device"), ProverStep(str(data.get("step"))), data.get("root", "")
        if type(device) is not int or not 0 <= device < devices or not isinstance(root, str):
            raise ValueError("a line of the prover about no device of the lease")
        reason = data.get("reason", "")
        text = printable(reason[:MAX_TEXT]) if isinstance(reason, str) else ""
        if step not in (ProverStep.proved, ProverStep.walked):
            return cls(device, step, b"", text)
        try:
            return cls(device, step, parse_bytes32("0x" + root, "root"), text)
        except HexadecimalError as error:
            raise ValueError(str(error)) from None


@dataclass(frozen=True, slots=True)
class PodTask:
    """What a pod is to prove: for one lease, each device with its profile, under one epoch's seed."""

    lease_id: int
    epoch_seed: Seed
    devices: tuple[tuple[DeviceId, Profile], ...]

    def to_json(self) -> dict[str, Any]:
        """As task.json has it."""
        return {
            "leaseId": self.lease_id,
            "epochSeed": self.epoch_seed.hex(),
            "devices": [
                {"deviceId": device_id.hex(), "profile": {name: getattr(profile, name) for name in _SIZES}}
                for device_id, profile in self.devices
            ],
        }

    @classmethod
    def from_json(cls, data: Any) -> PodTask:
        """Of `to_json`'s form. Raises KeyError, ValueError."""
        devices = tuple(
            (DeviceId(bytes.fromhex(one["deviceId"])), Profile(*(one["profile"][name] for name in _SIZES)).validate())
            for one in data["devices"]
        )
        return cls(data["leaseId"], Seed(bytes.fromhex(data["epochSeed"])), devices)


def rows_file(device: int) -> str:
    """Where a device's opened rows are, below the run's folder."""
    return f"rows-{device}"


def lanes_file(device: int) -> str:
    """Where its opened lanes are."""
    return f"lanes-{device}"
