"""What validators serve of an epoch made by hand, in their own wire format, over a transport without sockets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx2

from assay.network.client import Client
from assay.proof.sampling import samples
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leaves import ObservationLeaf, RewardLeaf, batch_tree
from assay.protocol.messages import Observations, Seal
from assay.wire import canonical
from assay.wire.gossip import BatchMessage
from assay.wire.leaves import DevicesBody, RewardsBody, SealedBody
from assay.wire.statements import SignedSeal
from tests.stand_in import client_of

from .epochs import Committed, Epoch
from .network import Network

URL = "http://validator.test"


@dataclass
class PublishedEpochs:
    """One validator's interface: contents by hash, and an index an epoch. Devices themselves answer nothing."""

    network: Network
    contents: dict[str, bytes] = field(default_factory=dict)
    indexes: dict[int, dict[str, Any]] = field(default_factory=dict)

    def keep(self, body: bytes) -> str:
        digest = to_hex(keccak(body))
        self.contents[digest] = body
        return digest

    def seal(self, epoch: Epoch, openings: bool = True) -> dict[str, Any]:
        """The sealed lines, and openings of what has a proof behind it."""
        body = SealedBody(epoch=epoch.number, leaves=tuple(c.leaf for c in epoch.sealed))
        index = self.indexes.setdefault(epoch.number, {"openings": {}, "batches": [], "statements": []})
        index["seal"] = self.keep(canonical.encode(body.to_json()))
        if openings:
            for committed in epoch.sealed:
                if committed.proof is not None:
                    rows = samples(epoch.rho, committed.device.id, committed.device.profile)
                    index["openings"][to_hex(committed.device.id)] = self.keep(committed.proof.open(rows))
        return index

    def batch(self, epoch: Epoch, seat: int, leaves: list[ObservationLeaf]) -> None:
        """A seat's observations."""
        account, key = self.network.seats[seat]
        message = Observations(epoch.number, epoch.set_id, epoch.rho, batch_tree(leaves).root)
        signature = message.sign(self.network.domain("EpochOracle"), key)
        body = BatchMessage(
            epoch=epoch.number, set_id=epoch.set_id, seat=account.address, rho=epoch.rho,
            leaves=tuple(leaves), signature=signature,
        )  # fmt: skip
        content = self.keep(canonical.encode(body.to_json()))
        self.indexes[epoch.number]["batches"].append({"seat": account.address, "content": content})

    def signed_seal(self, epoch: Epoch, seat: int, message: Seal) -> None:
        """A Seal as a seat signed it."""
        account, key = self.network.seats[seat]
        statement = SignedSeal(
            round=message.round, seat=account.address, epoch_seed=message.epoch_seed, seal_root=message.seal_root,
            count=message.count, signature=message.sign(self.network.domain("EpochOracle"), key),
        )  # fmt: skip
        index = self.indexes.setdefault(epoch.number, {"openings": {}, "batches": [], "statements": []})
        index["statements"].append(statement.to_json())

    def other_commitment(self, epoch: Epoch, committed: Committed) -> None:
        """Something that a device signed besides what was sealed."""
        body = {**committed.message.to_json(), "challenges": [], "signature": to_hex(committed.signature)}
        sealed = next(c for c in epoch.sealed if c.device.id == committed.device.id)
        held = {**sealed.message.to_json(), "challenges": [], "signature": to_hex(sealed.signature)}
        device = to_hex(committed.device.id)
        index = self.indexes[epoch.number]
        index["commitments"] = {device: self.keep(json.dumps(held).encode())}
        index["otherCommitments"] = [{"deviceId": device, "content": self.keep(json.dumps(body).encode())}]

    def report(self, epoch: Epoch, rewards: list[tuple[str, int]]) -> None:
        """The lines of a report and its reward tree."""
        devices = DevicesBody(epoch=epoch.number, leaves=tuple(epoch.device_leaves))
        lines = [RewardLeaf(account, amount) for account, amount in rewards]
        body = RewardsBody(epoch=epoch.number, leaves=tuple(lines))
        index = self.indexes[epoch.number]
        index["report"] = {"content": self.keep(canonical.encode(devices.to_json()))}
        index["rewards"] = self.keep(canonical.encode(body.to_json()))

    def client(self) -> Client:
        """Answers as the validator at `URL` would."""

        def answer(request: httpx2.Request) -> httpx2.Response:
            if request.url.host != "validator.test":
                return httpx2.Response(503)
            *_, kind, name = request.url.path.split("/")
            if kind == "epochs" and int(name) in self.indexes:
                return httpx2.Response(200, json=self.indexes[int(name)])
            if kind == "content" and name in self.contents:
                return httpx2.Response(200, content=self.contents[name])
            return httpx2.Response(404)

        return client_of(answer)
