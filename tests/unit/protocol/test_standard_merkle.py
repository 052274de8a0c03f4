"""StandardMerkleTree against the output of npm's @openzeppelin/merkle-tree."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.protocol.hexadecimal import parse_hex, to_hex
from assay.protocol.standard_merkle import StandardMerkleTree, verify

TREES = json.loads((Path(__file__).parents[2] / "vectors" / "standard-merkle.json").read_text())["trees"]


def python_value(solidity_type, value):
    if solidity_type == "bytes32":
        return parse_hex(value)
    return value if solidity_type == "address" else int(value)


def values_of(tree):
    return [[python_value(t, v) for t, v in zip(tree["types"], row, strict=True)] for row in tree["values"]]


@pytest.mark.parametrize("tree", TREES, ids=[f"{len(t['types'])}x{len(t['values'])}" for t in TREES])
def test_tree__npm_vectors__same_root_and_proofs(tree):
    ours = StandardMerkleTree(tree["types"], values_of(tree))
    assert to_hex(ours.root) == tree["root"]
    for i, proof in enumerate(tree["proofs"]):
        assert [to_hex(node) for node in ours.proof(i)] == proof


@given(st.lists(st.integers(0, 2**256 - 1), min_size=1, max_size=20), st.data())
def test_verify__any_tree__accepts_own_values_only(numbers, data):
    values = [["0x" + f"{n:040x}"[-40:], n] for n in numbers]
    types = ("address", "uint256")
    tree = StandardMerkleTree(types, values)
    i = data.draw(st.integers(0, len(values) - 1))
    assert verify(tree.root, types, values[i], tree.proof(i))
    other = [values[i][0], values[i][1] ^ 1]
    if other not in values:
        assert not verify(tree.root, types, other, tree.proof(i))


def test_tree__no_values__refused():
    with pytest.raises(ValueError, match="at least one"):
        StandardMerkleTree(("uint256",), [])


def test_proof__place_off_the_tree__refused():
    with pytest.raises(IndexError, match="value 1"):
        StandardMerkleTree(("uint256",), [(1,)]).proof(1)
