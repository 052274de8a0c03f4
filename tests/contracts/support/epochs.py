"""Epochs made by hand: opened, sealed, drawn and reported as the seats would."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from assay.proof.engines.registry import engine
from assay.proof.proof import Proof
from assay.protocol import leaves, messages, seeds
from assay.protocol.keccak import keccak
from assay.protocol.merkle import PositionalTree
from assay.protocol.standard_merkle import StandardMerkleTree

from .network import Device, Network


@dataclass
class Committed:
    """What a device committed to, and the proof behind it where there is one."""

    device: Device
    message: messages.Commitment
    signature: bytes
    proof: Proof | None = None

    @property
    def struct(self) -> tuple[Any, ...]:
        """IFraudProofs.Commitment."""
        m = self.message
        return (
            m.epoch,
            m.job_hash,
            m.device_id,
            m.nonce_root,
            m.result_root,
            self.signature[:32],
            self.signature[32:],
        )

    @property
    def leaf(self) -> leaves.SealedLeaf:
        m = self.message
        return leaves.SealedLeaf(
            m.device_id,
            m.job_hash,
            m.nonce_root,
            m.result_root,
            b"\0" * 32,
            self.signature[:32],
            self.signature[32:],
        )


@dataclass
class Epoch:
    """One epoch; each step takes it on and remembers what the next needs."""

    network: Network
    number: int
    set_id: int = 0
    seed: bytes = b""
    sealed: list[Committed] = field(default_factory=list)
    seal_tree: PositionalTree | None = None
    rho: bytes = b""
    devices: StandardMerkleTree | None = None
    device_leaves: list[leaves.DeviceLeaf] = field(default_factory=list)
    rewards: StandardMerkleTree | None = None

    @property
    def oracle(self) -> Any:
        return self.network.EpochOracle

    def open(self, sender: Any = None) -> Epoch:
        n = self.network
        if n.now < n.start_of(self.number) + 1:
            n.go_to(n.start_of(self.number) + 1)
        self.oracle.openEpoch(self.number, sender=sender or n.accounts[0])
        state = self.oracle.epochState(self.number)
        self.set_id, self.seed = state.setId, bytes(state.epochSeed)
        return self

    def commit(self, device: Device, result_root: bytes | None = None, prove: bool = False) -> Committed:
        """A commitment signed by the device; proven by the reference engine where asked."""
        nonce_root = keccak(b"nonces" + device.id + bytes([self.number & 0xFF]))
        proof = None
        if prove:
            worker = engine("reference")
            worker.prepare(device.profile, self.seed)
            proof = worker.prove(seeds.device_seed(self.seed, device.id, device.profile.id, nonce_root))
            result_root = result_root or proof.result_root
        message = messages.Commitment(
            self.number,
            device.profile.job_hash(self.seed),
            device.id,
            nonce_root,
            result_root or keccak(b"result" + device.id),
        )
        signature = message.sign(self.network.domain("EpochOracle"), device.private_key)
        return Committed(device, message, signature, proof)

    def seal_message(self, root: bytes, count: int, round_: int = 0) -> messages.Seal:
        return messages.Seal(self.number, self.set_id, round_, self.seed, root, count)

    def seal(self, committed: list[Committed], seats: list[int] | None = None, round_: int = 0) -> Epoch:
        self.sealed = sorted(committed, key=lambda c: c.device.id)
        self.seal_tree = PositionalTree([c.leaf.hash() for c in self.sealed])
        message = self.seal_message(self.seal_tree.root, len(self.sealed), round_)
        quorum = self.network.quorum(message.digest(self.network.domain("EpochOracle")), seats)
        self.oracle.seal(self.number, round_, message.seal_root, message.count, quorum, sender=self.network.accounts[0])
        return self

    def draw(self) -> Epoch:
        self.network.chain.mine(self.network.parameters.epochs.drawDelay)
        self.oracle.draw(self.number, sender=self.network.accounts[0])
        self.rho = bytes(self.oracle.epochState(self.number).rho)
        return self

    def leaf(self, device: Device, flags: int = 1, uptime: int = 10_000, **changes: Any) -> leaves.DeviceLeaf:
        index = next((i for i, c in enumerate(self.sealed) if c.device.id == device.id), 0)
        root = next((c.message.result_root for c in self.sealed if c.device.id == device.id), b"\0" * 32)
        values = {
            "epoch": self.number, "device_id": device.id, "seal_index": index, "profile": device.profile.id,
            "score_gops": 1_000, "memory_mib": 0, "uptime_bps": uptime, "flags": flags, "result_root": root,
        }  # fmt: skip
        return leaves.DeviceLeaf(**{**values, **changes})

    def report_message(self, rewards_total: int, round_: int = 0, data: bytes = b"") -> messages.EpochReport:
        assert self.devices is not None
        root = self.rewards.root if self.rewards is not None else b"\0" * 32
        return messages.EpochReport(
            self.number, self.set_id, round_, self.rho, self.devices.root, root, rewards_total, keccak(data)
        )

    def report(
        self,
        device_leaves: list[leaves.DeviceLeaf],
        rewards: list[tuple[str, int]] | None = None,
        seats: list[int] | None = None,
    ) -> Epoch:
        self.device_leaves = device_leaves
        self.devices = leaves.device_tree(device_leaves)
        if rewards:
            self.rewards = StandardMerkleTree(("address", "uint256"), rewards)
        message = self.report_message(sum(amount for _, amount in rewards or []))
        self.submit(message, self.network.quorum(message.digest(self.network.domain("EpochOracle")), seats))
        return self

    def submit(self, m: messages.EpochReport, quorum: tuple[int, bytes]) -> Any:
        report = (m.epoch, m.round, m.devices_root, m.rewards_root, m.rewards_total, m.data_hash)
        return self.oracle.report(report, quorum, sender=self.network.accounts[0])

    def proof(self, device: Device) -> tuple[tuple[Any, ...], list[bytes]]:
        """DeviceLeaf and its proof."""
        assert self.devices is not None
        index = next(i for i, leaf in enumerate(self.device_leaves) if leaf.device_id == device.id)
        return self.device_leaves[index].values(), self.devices.proof(index)


def run_epoch(
    network: Network,
    number: int,
    devices: list[Device],
    flags: dict[bytes, int] | None = None,
    uptime: dict[bytes, int] | None = None,
    rewards: list[tuple[str, int]] | None = None,
) -> Epoch:
    """A whole epoch in which every device passed, but for `flags` and `uptime` by device id."""
    epoch = Epoch(network, number).open()
    flags, uptime = flags or {}, uptime or {}
    sealed = [epoch.commit(d) for d in devices if flags.get(d.id, 1) & 1]
    epoch.seal(sealed).draw()
    found = [epoch.leaf(d, flags.get(d.id, 1), uptime.get(d.id, 10_000)) for d in devices]
    return epoch.report(found, rewards)
