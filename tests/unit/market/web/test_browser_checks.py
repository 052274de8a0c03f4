"""What browsers check by themselves: the pages' own modules against the Python engines, run by Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from assay.market.web.assets import NODE_MODULES, STATIC
from assay.proof import sampling
from assay.proof.adversaries.skipped_rows import SkippedRows
from assay.proof.engines import engine
from assay.proof.fraud import find_wrong_element
from assay.proof.proof import Proof
from assay.protocol.hexadecimal import to_hex
from assay.protocol.leases import result_roots
from assay.protocol.leaves import DeviceLeaf, device_tree
from assay.protocol.messages import Offer
from assay.protocol.profile import Profile
from assay.protocol.seeds import epoch_seed, handover_rho, handover_seed
from tests.unit.market.scenario import NOBODY, OPERATOR, account, device_leaves, h

PROFILE = Profile(7, 64, 128, 192, 5, 32, 12, 1).validate()
BETA, DEVICE, X, NONCE, LEASE = h("beta"), h("device"), h("x"), h("nonce"), 3
SEED = handover_seed(BETA, DEVICE, PROFILE.id, NONCE, LEASE)
SHA3 = NODE_MODULES / "js-sha3" / "build" / "sha3.min.js"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not SHA3.exists(), reason="needs Node and npm's packages: make setup"
)

SCRIPT = """
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
globalThis.keccak256 = createRequire(import.meta.url)("SHA3").keccak256;
const nothing = { addEventListener() {}, dispatchEvent() {} };
Object.assign(globalThis, nothing, { document: { querySelectorAll: () => [], getElementById: () => nothing } });
const { bytesOf, hexOf } = await import("STATIC/bytes.mjs");
const opening = await import("STATIC/opening.mjs");
const { vector } = await import("STATIC/generator.mjs");
const { leafRoot } = await import("STATIC/verify.mjs");
const chain = await import("STATIC/chain.mjs");
const { recompute } = await import("STATIC/recompute.mjs");
const given = JSON.parse(readFileSync(0, "utf8")), answers = [];
for (const { kind, ...values } of given) {
  if (kind === "vector") answers.push([...vector(bytesOf(values.seed), values.tag, values.index, values.K)]);
  if (kind === "leaf") answers.push(leafRoot(values));
  if (kind === "offer") answers.push(hexOf(chain.offerHash(values.offer)));
  if (kind === "roots") answers.push(hexOf(chain.resultRoots(values.roots.map(bytesOf))));
  if (kind === "recompute") answers.push(recompute(values).steps);
  if (kind === "handover") {
    const [seed, device, nonce, x, resultRoot, bytes] = ["epochSeed", "device", "nonce", "x", "resultRoot", "opening"]
      .map((name) => bytesOf(values[name]));
    const job = hexOf(opening.jobHash(seed, values.profile));
    const rho = opening.handoverRho(x, resultRoot);
    const s0 = opening.handoverSeed(seed, device, values.profile.id, nonce, values.lease);
    try {
      const rows = await opening.verifyOpening(
        { profile: values.profile, epochSeed: seed, seed: s0, device, rho, resultRoot, opening: bytes });
      answers.push({ job, rows });
    } catch (error) { answers.push({ job, error: error.message }); }
  }
}
console.log(JSON.stringify(answers));
"""


def in_node(*questions: dict[str, Any]) -> list[Any]:
    script = SCRIPT.replace("STATIC", STATIC.as_uri()).replace("SHA3", str(SHA3))
    command = ["node", "--input-type=module", "--eval", script]
    done = subprocess.run(
        command, input=json.dumps(questions), capture_output=True, text=True, timeout=60, cwd=Path("/")
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="module")
def proof() -> tuple[bytes, bytes]:
    """(result root, opening) of an honest handover."""
    prover = engine("reference")
    prover.prepare(PROFILE, BETA)
    made = prover.prove(SEED)
    rho = handover_rho(X, made.result_root)
    return made.result_root, made.open(sampling.samples(rho, DEVICE, PROFILE))


def handover(root: bytes, opening: bytes, **changes: Any) -> dict[str, Any]:
    shape = {name: getattr(PROFILE, name) for name in ("id", "M", "N", "K", "T", "chunk", "k", "W")}
    values = {
        "kind": "handover", "profile": shape, "epochSeed": to_hex(BETA), "device": to_hex(DEVICE), "lease": LEASE,
        "nonce": to_hex(NONCE), "x": to_hex(X), "resultRoot": to_hex(root), "opening": to_hex(opening),
    }  # fmt: skip
    return values | changes


def test_opening__honest__verifies_in_a_browser_and_nothing_else_does(proof: tuple[bytes, bytes]) -> None:
    root, opening = proof
    roots = 32 * PROFILE.T
    flipped = bytearray(opening)
    flipped[roots] ^= 1  # the first row's first byte
    moved = bytearray(opening)
    moved[3] ^= 1  # the first round's root
    good, row, chain, short, device, nonce, x = in_node(
        handover(root, opening),
        handover(root, bytes(flipped)),
        handover(root, bytes(moved)),
        handover(root, opening[:-1]),
        handover(root, opening, device=to_hex(h("other"))),
        handover(root, opening, nonce=to_hex(h("other"))),
        handover(root, opening, x=to_hex(h("other"))),
    )
    assert good == {"job": to_hex(PROFILE.job_hash(BETA)), "rows": PROFILE.k}
    assert "not the one committed to" in row["error"]
    assert "do not lead to the result" in chain["error"]
    assert "bytes, not" in short["error"]
    assert all("error" in answer for answer in (device, nonce, x))


def test_opening__of_committed_garbage__is_not_the_product() -> None:
    made, indices = cheated()
    (answer,) = in_node(handover(made.result_root, made.open(indices)))
    assert "is not the product" in answer["error"]


def test_wrong_element__recomputed_in_a_browser__is_wrong_by_every_step_and_not_when_changed() -> None:
    made, indices = cheated()
    found = find_wrong_element(PROFILE, BETA, SEED, made.open(indices), indices)
    assert found is not None
    beacon, oracle = h("beacon"), "0x" + "11" * 20
    proof = {
        "kind": "recompute", "profile": {name: getattr(PROFILE, name) for name in ("M", "N", "K", "T", "chunk")},
        "chainId": 31337, "oracle": oracle, "epoch": 9, "beacon": to_hex(beacon), "epochSeed": to_hex(BETA),
        "resultRoot": to_hex(made.result_root), "t": found.round.t, "seed": to_hex(found.round.seed),
        "root": to_hex(found.round.root), "roundPath": [to_hex(node) for node in found.round.path],
        "i": found.i, "j": found.j, "chunkBytes": to_hex(found.chunk),
        "chunkPath": [to_hex(node) for node in found.path], "claimed": found.claimed, "correct": found.correct,
    }  # fmt: skip
    other_chunk = proof | {"chunkBytes": to_hex(bytes([found.chunk[0] ^ 1]) + found.chunk[1:])}
    other_claim = proof | {"claimed": found.correct}
    good, chunk, claim = in_node(proof, other_chunk, other_claim)
    assert [holds for _, holds in good] == [False, True, True, True, True, True]  # this β is no beacon's
    assert [holds for _, holds in chunk][2] is False
    assert [holds for _, holds in claim][3] is False
    assert in_node(proof | {"epochSeed": to_hex(epoch_seed(31337, oracle, 9, beacon))})[0][0][1] is True


def cheated() -> tuple[Proof, list[tuple[int, int]]]:
    """A commitment with nine rows in ten skipped, and the rows that the handover samples of it."""
    cheat = SkippedRows(0.9)
    cheat.prepare(PROFILE, BETA)
    made = cheat.prove(SEED)
    return made, sampling.samples(handover_rho(X, made.result_root), DEVICE, PROFILE)


@pytest.mark.parametrize("tag", ["A", "B"])
def test_vector__of_either_matrix__is_the_generators(tag: str) -> None:
    from assay.proof.generator import vector

    (entries,) = in_node({"kind": "vector", "seed": to_hex(BETA), "tag": tag, "index": 70_000, "K": 4096})
    assert entries == vector(BETA, tag.encode(), 70_000, 4096).tolist()


def test_leaf__with_its_siblings__leads_to_the_reports_root() -> None:
    leaves = device_leaves(4)
    tree = device_tree(leaves)
    claim = {
        "kind": "leaf",
        "types": list(DeviceLeaf.TYPES),
        "root": to_hex(tree.root),
        "leaf": [to_hex(v) if isinstance(v, bytes) else str(v) for v in leaves[2].values()],
        "proof": [to_hex(node) for node in tree.proof(2)],
    }
    changed = claim | {"leaf": [*claim["leaf"][:4], "1", *claim["leaf"][5:]]}
    assert in_node(claim, changed)[0] == to_hex(tree.root) != in_node(changed)[0]


@pytest.mark.parametrize("count", [1, 2, 16])
def test_offer_and_roots__of_any_number_of_devices__hash_in_a_browser_as_in_python(count: int) -> None:
    ids = tuple(sorted(h(f"device {n}") for n in range(count)))
    offer = Offer(
        account("p"), OPERATOR, ids, account("t"), 2**128 - 1, 60, 2**32 - 1, 2**40 - 1, 2**64 - 1, NOBODY, 61
    )
    # As a market answers of a lease: whom the offer was made to has another name, and there is more beside it.
    answer = {**offer.to_json(), "nonce": str(offer.nonce), "offerRenter": offer.renter, "renter": account("renter")}
    roots = [h(f"root {n}") for n in range(count)]
    hashed, together = in_node(
        {"kind": "offer", "offer": answer}, {"kind": "roots", "roots": [to_hex(r) for r in roots]}
    )
    assert hashed == to_hex(offer.struct_hash())
    assert together == to_hex(result_roots(roots))
