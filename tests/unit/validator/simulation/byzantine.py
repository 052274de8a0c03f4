"""What seats that lie tell the others: each function makes the `mutate` of one seat."""

from __future__ import annotations

import json

from assay.protocol.hexadecimal import to_hex
from assay.protocol.leaves import batch_tree, sealed_tree
from assay.protocol.messages import Gossip, Observations, Seal
from assay.wire import canonical
from assay.wire.gossip import BatchMessage, InstantMessage, InventoryMessage, SealProposal

from .chain import DOMAIN
from .network import seat_key


def signed(i: int, digest: bytes) -> str:
    return to_hex(seat_key(i).sign_digest(digest))


def lies_in_batches(i: int):
    """Says that every device failed, and something else to every second peer."""

    def mutate(account: str, path: str, body: bytes) -> bytes:
        if path != "/v1/observations":
            return body
        value = json.loads(body)
        for line in value["leaves"]:
            line.update(flags=8 if int(account, 16) % 2 else 1, elapsedUs=1, uptimeBps=0)
        message = BatchMessage.model_validate(value)
        batch_root = batch_tree(message.leaves).root
        statement = Observations(message.epoch, message.set_id, message.rho, batch_root)
        value["signature"] = signed(i, statement.digest(DOMAIN))
        return json.dumps(value).encode()

    return mutate


def names_two_instants(i: int):
    """Names another instant to every peer."""

    def mutate(account: str, path: str, body: bytes) -> bytes:
        if path != "/v1/instants":
            return body
        value = json.loads(body)
        value["content"]["startMs"] += int(account, 16) % 700
        message = InstantMessage.model_validate(value)
        content = canonical.content_hash(message.content.to_json())
        gossip = Gossip(message.epoch, message.set_id, "instant", content)
        value["signature"] = signed(i, gossip.digest(DOMAIN))
        return json.dumps(value).encode()

    return mutate


def hides_devices(i: int):
    """Holds nothing, and when it leads seals without the first device."""

    def mutate(account: str, path: str, body: bytes) -> bytes:
        value = json.loads(body)
        if path == "/v1/inventories":
            value["content"]["entries"] = []
            message = InventoryMessage.model_validate(value)
            content = canonical.content_hash(message.content.to_json())
            gossip = Gossip(message.epoch, message.set_id, "inventory", content)
            value["signature"] = signed(i, gossip.digest(DOMAIN))
        if path == "/v1/seal-proposals" and value["seat"] == seat_key(i).address:
            value["leaves"], value["commitments"] = value["leaves"][1:], value["commitments"][1:]
            proposal = SealProposal.model_validate(value)
            root = sealed_tree(proposal.leaves).root
            seal = Seal(
                proposal.epoch, proposal.set_id, proposal.round, proposal.epoch_seed, root, len(proposal.leaves)
            )
            value.update(sealRoot=to_hex(root), count=seal.count, signature=signed(i, seal.digest(DOMAIN)))
        return json.dumps(value).encode()

    return mutate


def drops_a_batch(i: int):
    """When it leads reports without the batch of one honest seat."""

    def mutate(account: str, path: str, body: bytes) -> bytes | None:
        value = json.loads(body)
        if path == "/v1/report-proposals" and value["seat"] == seat_key(i).address:
            value["batches"] = value["batches"][:-1]
            return json.dumps(value).encode()
        return body

    return mutate


def shows_two_proposals(i: int):
    """Proposes each half of the seats another seal, of the same round."""
    hide = hides_devices(i)

    def mutate(account: str, path: str, body: bytes) -> bytes | None:
        return hide(account, path, body) if path == "/v1/seal-proposals" and int(account, 16) % 2 else body

    return mutate


def stalls_when_it_leads(i: int):
    """Takes part, and never shows a proposal."""

    def mutate(account: str, path: str, body: bytes) -> bytes | None:
        return None if path.endswith("-proposals") or path == "/v1/instants" else body

    return mutate


def sends_garbage(i: int):
    """Well-formed bodies with a wrong signature."""

    def mutate(account: str, path: str, body: bytes) -> bytes:
        value = json.loads(body)
        value["signature"] = "0x" + "11" * 64
        return json.dumps(value).encode()

    return mutate


def keeps_proposals_from(left_out: int):
    """Shows its proposals to everybody but one seat."""

    def mutate(account: str, path: str, body: bytes) -> bytes | None:
        return None if path.endswith("-proposals") and account == seat_key(left_out).address else body

    return mutate


BYZANTINE = [
    shows_two_proposals,
    lies_in_batches,
    names_two_instants,
    hides_devices,
    drops_a_batch,
    stalls_when_it_leads,
    sends_garbage,
]
