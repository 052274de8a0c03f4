"""Arguments of fraud proofs, and what it takes to bring them: commit, a block, reveal."""

from __future__ import annotations

from typing import Any

from eth_abi.abi import encode

from assay.proof.fraud import RoundArgument, element_of_row
from assay.proof.proof import Proof
from assay.protocol import leaves
from assay.protocol.keccak import keccak
from assay.protocol.merkle import PositionalTree

from .epochs import Committed, Epoch
from .network import Network

KINDS = {
    name: i
    for i, name in enumerate(
        ["None", "WrongElement", "BrokenChain", "TwoCommitments", "WithheldOpening", "TwoStatements", "FalsePass",
         "BadSeal", "UnsealedPass", "ShrunkReward"]
    )
}  # fmt: skip
SALT = keccak(b"salt")


def abi_type(argument: Any) -> str:
    """The canonical type of an ABI input, tuples spelled out."""
    if argument.type.startswith("tuple"):
        inner = ",".join(abi_type(c) for c in argument.components)
        return f"({inner}){argument.type[5:]}"
    return str(argument.type)


def commit_hash(network: Network, method: str, kind: str, arguments: list[Any], reporter: Any) -> bytes:
    """As the interface says: keccak256(abi.encode(reporter, kind, keccak256(abi.encode(arguments)), salt))."""
    entry = next(e for e in network.FraudProofs.contract_type.methods if e.name == method)
    types = [abi_type(i) for i in entry.inputs[:-1]]
    inner = keccak(encode(types, arguments))
    words = [reporter.address, KINDS[kind], inner, SALT]
    return keccak(encode(["address", "uint8", "bytes32", "bytes32"], words))


def commit(network: Network, method: str, kind: str, arguments: list[Any], reporter: Any) -> bytes:
    digest = commit_hash(network, method, kind, arguments, reporter)
    network.FraudProofs.commit(digest, sender=reporter)
    return digest


def prove(network: Network, method: str, kind: str, arguments: list[Any], reporter: Any) -> Any:
    """Commit, then reveal in the next block; the receipt."""
    commit(network, method, kind, arguments, reporter)
    return getattr(network.FraudProofs, method)(*arguments, SALT, sender=reporter)


def round_of(proof: Proof, t: int) -> tuple[Any, ...]:
    argument = RoundArgument(t, proof.round_seeds[t], proof.round_roots[t], tuple(proof.result_tree.path(t)))
    return argument.values()


def element_of(proof: Proof, t: int, i: int, j: int) -> tuple[Any, ...]:
    row = proof.rows.read([(t, i)])[0]
    tree = PositionalTree([root.tobytes() for root in proof.row_roots[t]])
    chunk, path = element_of_row(proof.profile, row, tree.path(i), i, j)
    return i, j, chunk, list(path)


def row_of(proof: Proof, t: int, i: int) -> tuple[bytes, list[bytes]]:
    tree = PositionalTree([root.tobytes() for root in proof.row_roots[t]])
    return proof.rows.read([(t, i)])[0].astype("<i4").tobytes(), tree.path(i)


def sealed(epoch: Epoch, committed: Committed) -> tuple[Any, ...]:
    """IFraudProofs.Sealed."""
    index = epoch.sealed.index(committed)
    leaf = committed.leaf
    values = (
        leaf.device_id, leaf.job_hash, leaf.nonce_root, leaf.result_root, leaf.lane_root, leaf.r, leaf.vs
    )  # fmt: skip
    return (*values, index, epoch.seal_tree.path(index))


def observed(epoch: Epoch, seat: int, found: list[leaves.ObservationLeaf], index: int = 0) -> tuple[Any, ...]:
    """IFraudProofs.Observed: one leaf of a batch that the seat signed."""
    from assay.protocol.messages import Observations

    tree = PositionalTree([leaf.hash() for leaf in found])
    message = Observations(epoch.number, epoch.set_id, epoch.rho, tree.root)
    signature = message.sign(epoch.network.domain("EpochOracle"), epoch.network.seats[seat][1])
    leaf = found[index]
    return (
        epoch.number, seat, tree.root, signature[:32], signature[32:], leaf.device_id, leaf.result_root,
        leaf.elapsed_us, leaf.flags, leaf.uptime_bps, index, tree.path(index),
    )  # fmt: skip
