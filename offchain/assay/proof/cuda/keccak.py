"""keccak-f[1600] for kernels: 25 lanes in 25 variables, so that they stay in registers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import uint64

from assay.proof.cuda.runtime import SIMULATOR, cuda, device
from assay.proof.kernels.permutation import ROUND_CONSTANTS

_CONSTANTS = np.array(ROUND_CONSTANTS, dtype=np.uint64)
LAST_BIT = np.uint64(1 << 63)
FIRST_PAD = np.uint64(1)
ZERO = np.uint64(0)


@device
def turned(value: Any, bits: Any) -> Any:
    """A rotation to the left by 1 to 63 bits."""
    return uint64(value << uint64(bits)) | uint64(value >> uint64(64 - bits))


@device
def keccak_round(
    a00: Any,
    a01: Any,
    a02: Any,
    a03: Any,
    a04: Any,
    a05: Any,
    a06: Any,
    a07: Any,
    a08: Any,
    a09: Any,
    a10: Any,
    a11: Any,
    a12: Any,
    a13: Any,
    a14: Any,
    a15: Any,
    a16: Any,
    a17: Any,
    a18: Any,
    a19: Any,
    a20: Any,
    a21: Any,
    a22: Any,
    a23: Any,
    a24: Any,
    constant: Any,
) -> Any:
    """One round; lane (x, y) is variable x + 5·y."""
    c0 = a00 ^ a05 ^ a10 ^ a15 ^ a20
    c1 = a01 ^ a06 ^ a11 ^ a16 ^ a21
    c2 = a02 ^ a07 ^ a12 ^ a17 ^ a22
    c3 = a03 ^ a08 ^ a13 ^ a18 ^ a23
    c4 = a04 ^ a09 ^ a14 ^ a19 ^ a24
    d0 = c4 ^ turned(c1, 1)
    d1 = c0 ^ turned(c2, 1)
    d2 = c1 ^ turned(c3, 1)
    d3 = c2 ^ turned(c4, 1)
    d4 = c3 ^ turned(c0, 1)
    b00 = a00 ^ d0
    b01 = turned(a06 ^ d1, 44)
    b02 = turned(a12 ^ d2, 43)
    b03 = turned(a18 ^ d3, 21)
    b04 = turned(a24 ^ d4, 14)
    b05 = turned(a03 ^ d3, 28)
    b06 = turned(a09 ^ d4, 20)
    b07 = turned(a10 ^ d0, 3)
    b08 = turned(a16 ^ d1, 45)
    b09 = turned(a22 ^ d2, 61)
    b10 = turned(a01 ^ d1, 1)
    b11 = turned(a07 ^ d2, 6)
    b12 = turned(a13 ^ d3, 25)
    b13 = turned(a19 ^ d4, 8)
    b14 = turned(a20 ^ d0, 18)
    b15 = turned(a04 ^ d4, 27)
    b16 = turned(a05 ^ d0, 36)
    b17 = turned(a11 ^ d1, 10)
    b18 = turned(a17 ^ d2, 15)
    b19 = turned(a23 ^ d3, 56)
    b20 = turned(a02 ^ d2, 62)
    b21 = turned(a08 ^ d3, 55)
    b22 = turned(a14 ^ d4, 39)
    b23 = turned(a15 ^ d0, 41)
    b24 = turned(a21 ^ d1, 2)
    return (
        b00 ^ (~b01 & b02) ^ constant,
        b01 ^ (~b02 & b03),
        b02 ^ (~b03 & b04),
        b03 ^ (~b04 & b00),
        b04 ^ (~b00 & b01),
        b05 ^ (~b06 & b07),
        b06 ^ (~b07 & b08),
        b07 ^ (~b08 & b09),
        b08 ^ (~b09 & b05),
        b09 ^ (~b05 & b06),
        b10 ^ (~b11 & b12),
        b11 ^ (~b12 & b13),
        b12 ^ (~b13 & b14),
        b13 ^ (~b14 & b10),
        b14 ^ (~b10 & b11),
        b15 ^ (~b16 & b17),
        b16 ^ (~b17 & b18),
        b17 ^ (~b18 & b19),
        b18 ^ (~b19 & b15),
        b19 ^ (~b15 & b16),
        b20 ^ (~b21 & b22),
        b21 ^ (~b22 & b23),
        b22 ^ (~b23 & b24),
        b23 ^ (~b24 & b20),
        b24 ^ (~b20 & b21),
    )


@device
def permuted_plainly(state: Any) -> Any:
    """keccak-f on a tuple of 25 uint64, for the simulator, which knows no intrinsics."""
    constants = cuda.const.array_like(_CONSTANTS)
    for r in range(24):
        (
            a00,
            a01,
            a02,
            a03,
            a04,
            a05,
            a06,
            a07,
            a08,
            a09,
            a10,
            a11,
            a12,
            a13,
            a14,
            a15,
            a16,
            a17,
            a18,
            a19,
            a20,
            a21,
            a22,
            a23,
            a24,
        ) = state
        state = keccak_round(
            a00,
            a01,
            a02,
            a03,
            a04,
            a05,
            a06,
            a07,
            a08,
            a09,
            a10,
            a11,
            a12,
            a13,
            a14,
            a15,
            a16,
            a17,
            a18,
            a19,
            a20,
            a21,
            a22,
            a23,
            a24,
            constants[r],
        )
    return state


if SIMULATOR:
    permuted = permuted_plainly
else:
    from assay.proof.cuda.permutation import permuted


@device
def hash_pair(left: Any, right: Any) -> Any:
    """The first four lanes of keccak256 over 64 bytes: two rows of uint64[4]."""
    state = permuted(
        (
            left[0],
            left[1],
            left[2],
            left[3],
            right[0],
            right[1],
            right[2],
            right[3],
            FIRST_PAD,
            ZERO,
            ZERO,
            ZERO,
            ZERO,
            ZERO,
            ZERO,
            ZERO,
            LAST_BIT,
            ZERO,
            ZERO,
            ZERO,
            ZERO,
            ZERO,
            ZERO,
            ZERO,
            ZERO,
        )
    )
    return state[0], state[1], state[2], state[3]


@device
def message_word(words: Any, at: Any, index: Any, total: Any) -> Any:
    """Word `index` of a message of `total` words that starts at words[at], or its padding."""
    if index < total:
        return uint64(words[at + index])
    return FIRST_PAD if index == total else ZERO


@device
def hash_message(words: Any, at: Any, total: Any) -> Any:
    """The first four lanes of keccak256 over `total` words from words[at]."""
    state = (
        ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO,
        ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO,
    )  # fmt: skip
    blocks = total // 17 + 1
    for block in range(blocks):
        first = 17 * block
        last = LAST_BIT if block == blocks - 1 else ZERO
        state = permuted(
            (
                state[0] ^ message_word(words, at, first + 0, total),
                state[1] ^ message_word(words, at, first + 1, total),
                state[2] ^ message_word(words, at, first + 2, total),
                state[3] ^ message_word(words, at, first + 3, total),
                state[4] ^ message_word(words, at, first + 4, total),
                state[5] ^ message_word(words, at, first + 5, total),
                state[6] ^ message_word(words, at, first + 6, total),
                state[7] ^ message_word(words, at, first + 7, total),
                state[8] ^ message_word(words, at, first + 8, total),
                state[9] ^ message_word(words, at, first + 9, total),
                state[10] ^ message_word(words, at, first + 10, total),
                state[11] ^ message_word(words, at, first + 11, total),
                state[12] ^ message_word(words, at, first + 12, total),
                state[13] ^ message_word(words, at, first + 13, total),
                state[14] ^ message_word(words, at, first + 14, total),
                state[15] ^ message_word(words, at, first + 15, total),
                state[16] ^ message_word(words, at, first + 16, total) ^ last,
                state[17],
                state[18],
                state[19],
                state[20],
                state[21],
                state[22],
                state[23],
                state[24],
            )
        )
    return state[0], state[1], state[2], state[3]
