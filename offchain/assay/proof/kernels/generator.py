"""The generator of A and B in Numba (the formula is in `assay.proof.generator`)."""

from __future__ import annotations

import numpy as np
from numba import njit, uint32

from assay.proof.kernels.mixing import fill_words
from assay.proof.kernels.permutation import permute8

TAG_A = 65
TAG_B = 66
_GOLDEN = np.uint32(0x9E3779B9)
_SIGN = np.uint32(0x80808080)
_NO_SIGN = np.uint32(0)


@njit(cache=True, nogil=True)
def lane_keys(seed, tag, first, out):  # type: ignore[no-untyped-def]
    """Keys of consecutive vectors, laid out for two words at a time.

    Args:
        seed: uint64[4], the seed's 32 bytes as little-endian words.
        tag: TAG_A or TAG_B.
        first: index of the first vector.
        out: uint32[n, 2, 16], written: [:, 0, :8] is k1 by lane in the order in which the lanes are stored,
            [:, 0, 8:] the same plus one step of the counter; [:, 1] is k2 twice.
    """
    count = out.shape[0]
    state = np.empty(200, np.uint64)
    for base in range(0, count, 4):
        state[:] = 0
        for lane in range(8):
            index = np.uint64(first + base + lane // 2)
            for word in range(4):
                state[8 * word + lane] = seed[word]
            big_endian = (
                (index & np.uint64(0xFF)) << np.uint64(24)
                | (index & np.uint64(0xFF00)) << np.uint64(8)
                | (index >> np.uint64(8)) & np.uint64(0xFF00)
                | (index >> np.uint64(24)) & np.uint64(0xFF)
            )
            which = np.uint64(lane & 1)
            # Bytes 32 to 38 of the message: tag, index, 0 or 1, and the first byte of the padding.
            message = np.uint64(tag) | big_endian << np.uint64(8) | which << np.uint64(40)
            state[32 + lane] = message | np.uint64(1) << np.uint64(48)
            state[128 + lane] = np.uint64(1) << np.uint64(63)
        permute8(state)
        for row in range(min(4, count - base)):
            for half in range(2):
                lane = 2 * row + half
                for place in range(8):
                    # Lane l is bits 32·l and up of a big-endian number: its bytes 28 - 4·l to 31 - 4·l.
                    of = place if tag == TAG_A else 7 - place
                    at = 28 - 4 * of
                    word = state[8 * (at // 8) + lane] >> np.uint64(8 * (at % 8))
                    key = uint32(
                        (word & np.uint64(0xFF)) << np.uint64(24)
                        | (word & np.uint64(0xFF00)) << np.uint64(8)
                        | (word >> np.uint64(8)) & np.uint64(0xFF00)
                        | (word >> np.uint64(24)) & np.uint64(0xFF)
                    )
                    out[base + row, half, place] = key
                    out[base + row, half, 8 + place] = uint32(key + _GOLDEN) if half == 0 else key


@njit(cache=True, nogil=True)
def fill_row(keys, first_word, out, sign):  # type: ignore[no-untyped-def]
    """Words `first_word` and up of one vector.

    Args:
        keys: uint32[2, 16] from `lane_keys`.
        first_word: index w of the first word, even.
        out: uint32[8·words], written; four entries each, words even.
        sign: 0x80808080 for int8 entries, 0 for entries + 128 as uint8.
    """
    fill_words(keys.reshape(-1), 0, first_word, out, 0, out.shape[0] // 16, sign)


@njit(cache=True, nogil=True)
def fill_rows(seed, tag, first, out, signed):  # type: ignore[no-untyped-def]
    """Consecutive vectors of K entries.

    Args:
        seed: uint64[4].
        tag: TAG_A or TAG_B.
        first: index of the first vector.
        out: uint32[n, K/4], written.
        signed: int8 entries, or entries + 128 as uint8.
    """
    keys = np.empty((out.shape[0], 2, 16), np.uint32)
    lane_keys(seed, tag, first, keys)
    sign = _SIGN if signed else _NO_SIGN
    for row in range(out.shape[0]):
        fill_row(keys[row], 0, out[row], sign)


@njit(cache=True, nogil=True)
def fill_chosen(seed, tag, indices, out):  # type: ignore[no-untyped-def]
    """Some vectors as int8: int64[n] indices into uint32[n, K/4]."""
    keys = np.empty((1, 2, 16), np.uint32)
    for row in range(out.shape[0]):
        lane_keys(seed, tag, indices[row], keys)
        fill_row(keys[0], 0, out[row], _SIGN)
