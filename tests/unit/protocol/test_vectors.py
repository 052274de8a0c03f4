"""Seeds, hashes and digests against the protocol's own vectors."""

import json
from pathlib import Path

import pytest

from assay.protocol import merkle, seeds
from assay.protocol.hexadecimal import parse_bytes32, to_hex
from assay.protocol.messages import Commitment
from assay.protocol.profile import Profile
from assay.protocol.signing import Domain

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "proof-v1.json").read_text())


@pytest.fixture(params=VECTORS, ids=[v["name"] for v in VECTORS])
def vector(request):
    return request.param


def profile_of(v):
    return Profile(v["profile"], v["M"], v["N"], v["K"], v["T"], v["chunk"], v["k"], v["W"]).validate()


def test_epoch_seed__vector__same_bytes(vector):
    seed = seeds.epoch_seed(vector["chainId"], vector["oracle"], vector["epoch"], parse_bytes32(vector["beacon"]))
    assert to_hex(seed) == vector["epochSeed"]


def test_device_seed__vector__same_bytes(vector):
    seed = seeds.device_seed(
        parse_bytes32(vector["epochSeed"]),
        parse_bytes32(vector["deviceId"]),
        vector["profile"],
        parse_bytes32(vector["nonceRoot"]),
    )
    assert to_hex(seed) == vector["deviceSeed"]


def test_job_hash__vector__same_bytes(vector):
    assert to_hex(profile_of(vector).job_hash(parse_bytes32(vector["epochSeed"]))) == vector["jobHash"]


def test_round_seeds__vector__chain_lags_by_one_root(vector):
    roots = [seeds.FIRST_PREVIOUS_ROOT, *(parse_bytes32(r) for r in vector["roundRoots"])]
    chain = [parse_bytes32(vector["deviceSeed"])]
    for t in range(vector["T"] - 1):
        chain.append(seeds.next_seed(chain[t], roots[t]))
    assert [to_hex(s) for s in chain] == vector["roundSeeds"]


def test_result_root__vector__tree_over_round_leaves(vector):
    leaves = [
        merkle.round_leaf(t, parse_bytes32(s), parse_bytes32(r))
        for t, (s, r) in enumerate(zip(vector["roundSeeds"], vector["roundRoots"], strict=True))
    ]
    tree = merkle.PositionalTree(leaves)
    assert to_hex(tree.root) == vector["resultRoot"]
    t = vector["sample0"]["t"]
    assert [to_hex(node) for node in tree.path(t)] == vector["sample0"]["roundPath"]


def test_commitment_digest__vector__same_bytes(vector):
    message = Commitment(
        vector["epoch"],
        *(parse_bytes32(vector[name]) for name in ("jobHash", "deviceId", "nonceRoot", "resultRoot")),
    )
    digest = message.digest(Domain(vector["chainId"], vector["oracle"]))
    assert to_hex(digest) == vector["commitmentDigest"]
