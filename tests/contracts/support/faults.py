"""Arguments of fraud proofs, and what it takes to bring them: commit, two blocks, reveal."""

from __future__ import annotations

from typing import Any

from assay.proof.fraud import RoundArgument, element_of_row
from assay.proof.fraud_calldata import commit_hash
from assay.proof.proof import Proof
from assay.protocol import leaves
from assay.protocol.keccak import keccak
from assay.protocol.merkle import PositionalTree

from .epochs import Committed, Epoch
from .network import Network

SALT = keccak(b"salt")


def prove(network: Network, method: str, arguments: list[Any], reporter: Any) -> Any:
    """Commit, then reveal two blocks later; the receipt."""
    proof = getattr(network.FraudProofs, method)
    data = bytes(proof.encode_input(*arguments, SALT))
    network.FraudProofs.commit(commit_hash(reporter.address, data), sender=reporter)
    network.chain.mine(1)
    return proof(*arguments, SALT, sender=reporter)


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
    values = (leaf.device_id, leaf.job_hash, leaf.nonce_root, leaf.result_root, leaf.lane_root, leaf.r, leaf.vs)
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
