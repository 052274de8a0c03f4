import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.protocol import quorum, seeds
from assay.protocol.encoding import u256
from assay.protocol.keccak import keccak
from assay.protocol.leaves import Flag

A, B = "0x" + "0a" * 20, "0x" + "0b" * 20


def test_nonce_root__ascending__pairs_concatenated():
    root = seeds.nonce_root([(A, b"\x01" * 32), (B, b"\x02" * 32)])
    assert root == keccak(u256(A) + b"\x01" * 32 + u256(B) + b"\x02" * 32)


@pytest.mark.parametrize("nonces", [[], [(B, bytes(32)), (A, bytes(32))], [(A, bytes(32)), (A, b"\1" * 32)]])
def test_nonce_root__none_or_not_ascending__refused(nonces):
    with pytest.raises(ValueError):
        seeds.nonce_root(nonces)


def test_handover_seed__same_inputs__never_the_epoch_seed():
    beta, device, nonce = b"\1" * 32, b"\2" * 32, b"\3" * 32
    handover = seeds.handover_seed(beta, device, 1, nonce, 5)
    assert handover != seeds.device_seed(beta, device, 1, nonce)
    assert handover != seeds.handover_seed(beta, device, 1, nonce, 6)
    assert seeds.handover_rho(nonce, device) == keccak(b"assay.hr" + nonce + device)


@given(st.integers(1, 31))
def test_quorum__any_set__two_quorums_share_an_honest_seat(n):
    f, q = quorum.faults(n), quorum.quorum(n)
    assert 3 * f + 1 <= n < 3 * f + 4
    assert 2 * q - n > f
    assert q <= n - f or n < 4


@pytest.mark.parametrize(("n", "f", "q"), [(1, 0, 1), (2, 0, 2), (3, 0, 3), (4, 1, 3), (7, 2, 5), (31, 10, 21)])
def test_quorum__known_sets__as_the_contract(n, f, q):
    assert (quorum.faults(n), quorum.quorum(n)) == (f, q)


def test_quorum__empty_set__refused():
    with pytest.raises(ValueError):
        quorum.quorum(0)


def test_flags__values__fixed():
    assert [int(f) for f in Flag] == [1, 2, 4, 8, 16, 32, 64, 128, 256]


def test_import__protocol__pulls_in_no_upper_layer_nor_heavy_library():
    code = (
        "import sys\n"
        "from assay.protocol import leaves, messages, profile, seeds\n"
        "heavy = {'web3', 'eth_account', 'eth_abi', 'eth_keys', 'coincurve', 'pydantic', 'numpy'} & set(sys.modules)\n"
        "upper = [m for m in sys.modules if m.startswith('assay.') and not m.startswith('assay.protocol')]\n"
        "print(sorted(heavy), upper)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


@given(st.lists(st.integers(1, 2**128 - 1), max_size=31), st.integers(1, 2**100))
def test_price_of_a_seat__all_taken__is_more_than_the_lowest_by_a_tenth_at_least_and_else_the_stake(stakes, seat_stake):
    price = quorum.price_of_seat(stakes, seat_stake)
    if len(stakes) < 31:
        assert price == seat_stake
    else:
        assert price > min(stakes) and 0 <= 10 * price - 11 * min(stakes) < 10


def test_price_of_a_seat__thirty_one_taken__as_the_contract_rounds():
    assert [quorum.price_of_seat([least] * 31, 5) for least in (10, 11, 19, 10**23 + 1)] == [
        11,
        13,
        21,
        11 * 10**22 + 2,
    ]
