import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.protocol.keccak import ZERO_HASH, keccak
from assay.protocol.leaves import ObservationLeaf, SealedLeaf, batch_tree, sealed_tree
from assay.protocol.merkle import PositionalTree, depth_of, node, root_from_path

LEAVES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40)


@given(LEAVES, st.data())
def test_path__any_leaf__leads_to_root_from_its_position_only(leaves, data):
    tree = PositionalTree(leaves)
    position = data.draw(st.integers(0, len(leaves) - 1))
    path = tree.path(position)
    assert len(path) == depth_of(len(leaves))
    assert root_from_path(leaves[position], position, path) == tree.root
    for other in range(1 << len(path)):
        same_leaf = other < len(leaves) and leaves[other] == leaves[position]
        if other != position and not same_leaf:
            assert root_from_path(leaves[position], other, path) != tree.root


def test_root__three_leaves__padded_with_zero_leaf():
    a, b, c = (keccak(bytes([i])) for i in range(3))
    assert PositionalTree([a, b, c]).root == node(node(a, b), node(c, ZERO_HASH))


def test_root__one_leaf__is_the_leaf():
    leaf = keccak(b"x")
    assert PositionalTree([leaf]).root == leaf
    assert PositionalTree([leaf]).path(0) == []


def test_root__pair__not_sorted():
    a, b = keccak(b"a"), keccak(b"b")
    assert PositionalTree([a, b]).root != PositionalTree([b, a]).root


def test_path__padding__refused():
    with pytest.raises(IndexError, match="position 3"):
        PositionalTree([ZERO_HASH] * 3).path(3)


def test_root_from_path__position_beyond_path__refused():
    with pytest.raises(ValueError, match="position 2"):
        root_from_path(ZERO_HASH, 2, [ZERO_HASH])


def test_tree__short_leaf__refused():
    with pytest.raises(ValueError, match="leaf 0: 31 bytes"):
        PositionalTree([bytes(31)])


def sealed(device):
    return SealedLeaf(keccak(device), *(keccak(device + bytes([i])) for i in range(6)))


def test_sealed_tree__ids_out_of_order_or_twice__refused():
    leaves = sorted((sealed(bytes([i])) for i in range(4)), key=lambda leaf: leaf.device_id)
    assert sealed_tree(leaves).count == 4
    with pytest.raises(ValueError, match="ascending"):
        sealed_tree(leaves[::-1])
    with pytest.raises(ValueError, match="ascending"):
        sealed_tree([leaves[0], leaves[0]])


def test_leaf_hash__sealed__seven_words():
    leaf = sealed(b"d")
    words = (
        leaf.device_id,
        leaf.job_hash,
        leaf.nonce_root,
        leaf.result_root,
        leaf.lane_root,
        leaf.r,
        leaf.vs,
    )
    assert leaf.hash() == keccak(b"".join(words))


def test_leaf_hash__observation__words_of_32_bytes():
    leaf = ObservationLeaf(keccak(b"d"), keccak(b"r"), 123_456, 1, 9_999)
    numbers = b"".join(n.to_bytes(32, "big") for n in (123_456, 1, 9_999))
    assert leaf.hash() == keccak(leaf.device_id + leaf.result_root + numbers)
    assert batch_tree([leaf]).root == leaf.hash()
