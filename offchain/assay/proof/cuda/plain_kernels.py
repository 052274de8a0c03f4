"""Plain kernels: they run on any card and in the CUDA simulator. Stages of a round, one kernel each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int32, uint32, uint64

from assay.proof.cuda.keccak import FIRST_PAD, LAST_BIT, ZERO, hash_message, hash_pair, permuted
from assay.proof.cuda.runtime import SIMULATOR, cuda, device, jit

# The simulator starts a thread of the system for each of the card's, so blocks are small there.
SIDE = 4 if SIMULATOR else 16  # threads along each side of a block of the plain product
TREE_THREADS = 8 if SIMULATOR else 256
_MAX_BLOCKS_Y = 65_535
_GOLDEN = np.uint32(0x9E3779B9)
_M1 = np.uint32(0x21F0AAAD)
_M2 = np.uint32(0x735A2D97)
_SIGN = np.uint32(0x80808080)
_BYTE = np.uint64(0xFF)
_LOW = np.uint64(0xFFFFFFFF)
_ABSORB = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@device
def turned_around(word: Any) -> Any:
    """Bytes of a uint64 in the other order."""
    x = uint64(word)
    x = ((x & uint64(0x00FF00FF00FF00FF)) << uint64(8)) | ((x >> uint64(8)) & uint64(0x00FF00FF00FF00FF))
    x = ((x & uint64(0x0000FFFF0000FFFF)) << uint64(16)) | ((x >> uint64(16)) & uint64(0x0000FFFF0000FFFF))
    return uint64(x << uint64(32)) | uint64(x >> uint64(32))


@jit
def lane_keys(seeds: Any, t: Any, tag: Any, indices: Any, keys: Any) -> None:
    """Keys of vectors: thread 2·row + half; layout as in `kernels.generator.lane_keys`.

    seeds uint64[T, 4], indices uint32[n], keys uint32[n, 2, 16].
    """
    thread = cuda.grid(1)
    row = thread // 2
    half = thread % 2
    if row >= indices.shape[0]:
        return
    number = turned_around(uint64(indices[row])) >> uint64(32)
    last = uint64(tag) | number << uint64(8) | uint64(half) << uint64(40) | FIRST_PAD << uint64(48)
    state = permuted(
        (
            seeds[t, 0],
            seeds[t, 1],
            seeds[t, 2],
            seeds[t, 3],
            last,
            ZERO,
            ZERO,
            ZERO,
            ZERO,
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
    h0, h1, h2, h3 = state[0], state[1], state[2], state[3]
    for lane in range(8):
        place = lane if tag == 65 else 7 - lane
        # Lane l is the big-endian word 7 - l of the hash: word (7 - l) / 2, upper half when odd in memory order.
        pair = 3 - lane // 2
        word = h0
        if pair == 1:
            word = h1
        elif pair == 2:
            word = h2
        elif pair == 3:
            word = h3
        swapped = turned_around(word)
        key = uint32(swapped & _LOW) if lane % 2 == 0 else uint32(swapped >> uint64(32))
        keys[row, half, place] = key
        keys[row, half, 8 + place] = uint32(key + _GOLDEN) if half == 0 else key


def generation_grid(words: Any, threads: int) -> tuple[int, int]:
    """Blocks for `generate`: 16 words a thread along each row."""
    rows, per_row = words.shape
    return -(-per_row // (16 * threads)), min(rows, _MAX_BLOCKS_Y)


@jit
def generate_plainly(keys: Any, words: Any) -> None:
    """Entries of vectors: keys uint32[n, 2, 16] to uint32[n, K/4]; blocks of a multiple of 16 threads. For the
    simulator, which knows no intrinsics.

    Threads stride along a row by whole pairs of the generator's words, so that each keeps its lane and its keys.
    """
    first = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    stride = cuda.gridDim.x * cuda.blockDim.x
    place = first % 16
    for row in range(cuda.blockIdx.y, words.shape[0], cuda.gridDim.y):
        k1, k2 = keys[row, 0, place], keys[row, 1, place]
        for at in range(first, words.shape[1], stride):
            x = uint32(k1 + uint32(uint32(at // 16 * 2) * _GOLDEN))
            x = uint32(x ^ uint32(x >> uint32(16)))
            x = uint32(x * _M1)
            x = uint32(x ^ k2)
            x = uint32(x ^ uint32(x >> uint32(15)))
            x = uint32(x * _M2)
            x = uint32(x ^ uint32(x >> uint32(15)))
            words[row, at] = uint32(x ^ _SIGN)


@device
def entry(word: Any, place: Any) -> Any:
    """Signed byte `place` of a word."""
    byte = int32((word >> uint32(8 * place)) & uint32(255))
    return byte - int32(256) if byte >= int32(128) else byte


@device
def dot4_plainly(left: Any, right: Any, total: Any) -> Any:
    """total + Σ of four products of signed bytes; for the simulator, which knows no intrinsics."""
    for place in range(4):
        total += entry(left, place) * entry(right, place)
    return total


if SIMULATOR:
    dot4, generate = dot4_plainly, generate_plainly

    def bits_of(value: Any) -> Any:
        """The 32 bits of a float32."""
        return np.float32(value).view(np.uint32)
else:
    from assay.proof.cuda.emission import bits_of, dot4
    from assay.proof.cuda.generation import generate as generate


@jit
def multiply(a: Any, b: Any, product: Any) -> None:
    """product[i, j] = Σ a[i]·b[j], one thread an element, 16 × 16 threads a block.

    a uint32[M, K/4], b uint32[N, K/4] of four int8 each; product int32[M, N]; K a multiple of 64.
    """
    a_tile = cuda.shared.array((SIDE, SIDE), uint32)
    b_tile = cuda.shared.array((SIDE, SIDE), uint32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    i = cuda.blockIdx.y * SIDE + y
    j = cuda.blockIdx.x * SIDE + x
    own_b = cuda.blockIdx.x * SIDE + y
    total = int32(0)
    for start in range(0, a.shape[1], SIDE):
        a_tile[y, x] = a[i, start + x] if i < a.shape[0] else uint32(0)
        b_tile[y, x] = b[own_b, start + x] if own_b < b.shape[0] else uint32(0)
        cuda.syncthreads()
        for step in range(SIDE):
            total = dot4(a_tile[y, step], b_tile[x, step], total)
        cuda.syncthreads()
    if i < product.shape[0] and j < product.shape[1]:
        product[i, j] = total


@jit
def widen(words: Any, out: Any) -> None:
    """uint32[n] of four int8 each to uint64[n] of four bfloat16 each."""
    thread = cuda.grid(1)
    if thread < words.shape[0]:
        word = words[thread]
        wide = uint64(0)
        for place in range(4):
            wide |= uint64(bits_of(float32(entry(word, place))) >> uint32(16)) << uint64(16 * place)
        out[thread] = wide


@jit
def add_exact(partial: Any, product: Any, first: Any) -> None:
    """Adds whole numbers of at most 2^24 in float32[n] to int32[n], or puts them there."""
    thread = cuda.grid(1)
    if thread < product.shape[0]:
        before = int32(0) if first else product[thread]
        product[thread] = before + int32(partial[thread])


@jit
def hash_chunks(words: Any, chunk_words: Any, leaves: Any) -> None:
    """One thread a chunk: uint64[...] of C to leaves uint64[n, 4]."""
    thread = cuda.grid(1)
    if thread < leaves.shape[0]:
        h0, h1, h2, h3 = hash_message(words, thread * chunk_words, chunk_words)
        leaves[thread, 0] = h0
        leaves[thread, 1] = h1
        leaves[thread, 2] = h2
        leaves[thread, 3] = h3


@jit
def reduce_rows(leaves: Any, per_row: Any, row_roots: Any, t: Any) -> None:
    """One thread a row: its leaves, reduced where they lie, to row_roots[t, row]; uint64[T, M, 4]."""
    row = cuda.grid(1)
    if row >= row_roots.shape[1]:
        return
    first = row * per_row
    width = per_row
    while width > 1:
        width //= 2
        for n in range(width):
            h0, h1, h2, h3 = hash_pair(leaves[first + 2 * n], leaves[first + 2 * n + 1])
            leaves[first + n, 0] = h0
            leaves[first + n, 1] = h1
            leaves[first + n, 2] = h2
            leaves[first + n, 3] = h3
    for word in range(4):
        row_roots[t, row, word] = leaves[first, word]


@jit
def reduce_round(row_roots: Any, t: Any, scratch: Any, roots: Any) -> None:
    """One block: root of round t over its rows, by way of two halves of scratch uint64[2, M, 4]."""
    thread = cuda.threadIdx.x
    width = row_roots.shape[1]
    for row in range(thread, width, TREE_THREADS):
        for word in range(4):
            scratch[0, row, word] = row_roots[t, row, word]
    cuda.syncthreads()
    level = 0
    while width > 1:
        width //= 2
        for n in range(thread, width, TREE_THREADS):
            h0, h1, h2, h3 = hash_pair(scratch[level, 2 * n], scratch[level, 2 * n + 1])
            scratch[1 - level, n, 0] = h0
            scratch[1 - level, n, 1] = h1
            scratch[1 - level, n, 2] = h2
            scratch[1 - level, n, 3] = h3
        level = 1 - level
        cuda.syncthreads()
    if thread < 4:
        roots[t, thread] = scratch[level, 0, thread]


@jit
def reduce_level(nodes: Any, first: Any, count: Any) -> None:
    """One thread a node: 2·count nodes from nodes[first], uint64[n, 4], to the level that follows them there."""
    thread = cuda.grid(1)
    if thread < count:
        place = first + 2 * count + thread
        h0, h1, h2, h3 = hash_pair(nodes[first + 2 * thread], nodes[first + 2 * thread + 1])
        nodes[place, 0] = h0
        nodes[place, 1] = h1
        nodes[place, 2] = h2
        nodes[place, 3] = h3


@jit
def chain_seed(seeds: Any, roots: Any, t: Any) -> None:
    """One thread: s_t = H(s_{t-1} ‖ root_{t-2}) for t >= 1; seeds and roots uint64[T, 4]."""
    if cuda.grid(1) == 0:
        r0, r1, r2, r3 = ZERO, ZERO, ZERO, ZERO
        if t >= 2:
            r0, r1, r2, r3 = roots[t - 2, 0], roots[t - 2, 1], roots[t - 2, 2], roots[t - 2, 3]
        h0, h1, h2, h3 = hash_pair(
            (seeds[t - 1, 0], seeds[t - 1, 1], seeds[t - 1, 2], seeds[t - 1, 3]), (r0, r1, r2, r3)
        )
        seeds[t, 0] = h0
        seeds[t, 1] = h1
        seeds[t, 2] = h2
        seeds[t, 3] = h3


@jit
def keep_window(words: Any, window: Any, first: Any) -> None:
    """C mod 2^16 of one round: uint64[M·N/2] of two int32 to window[first + n], four values a uint64."""
    thread = cuda.grid(1)
    if 2 * thread < words.shape[0]:
        low, high = words[2 * thread], words[2 * thread + 1]
        left = (low & uint64(0xFFFF)) | ((low >> uint64(16)) & uint64(0xFFFF0000))
        right = (high & uint64(0xFFFF)) | ((high >> uint64(16)) & uint64(0xFFFF0000))
        window[first + thread] = left | right << uint64(32)


@device
def multiply_high(a: Any, b: Any) -> Any:
    """The upper 64 of the 128 bits of a product."""
    a_low, a_high = a & _LOW, a >> uint64(32)
    b_low, b_high = b & _LOW, b >> uint64(32)
    middle = a_high * b_low + ((a_low * b_low) >> uint64(32))
    other = a_low * b_high + (middle & _LOW)
    return a_high * b_high + (middle >> uint64(32)) + (other >> uint64(32))


@jit
def walk_lanes(claim: Any, challenge: Any, first: Any, steps: Any, states: Any) -> None:
    """The memory probe, a thread a lane: sectors uint64[4·S], π uint64[4], states uint64[n] from lane `first`."""
    thread = cuda.grid(1)
    if thread >= states.shape[0]:
        return
    count = uint64(claim.shape[0] // 4)
    number = turned_around(uint64(first + thread)) >> uint64(32)
    last = uint64(109) | number << uint64(8) | FIRST_PAD << uint64(40)
    hashed = permuted(
        (
            challenge[0],
            challenge[1],
            challenge[2],
            challenge[3],
            last,
            ZERO,
            ZERO,
            ZERO,
            ZERO,
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
    state = turned_around(hashed[3])
    shift = (uint64(0xFFFFFFFFFFFFFFFF) % count + uint64(1)) % count
    position = turned_around(hashed[0]) % count
    position = (position * shift + turned_around(hashed[1]) % count) % count
    position = (position * shift + turned_around(hashed[2]) % count) % count
    for _ in range(steps):
        for m in range(4):
            state = (state ^ claim[position * uint64(4) + uint64(m)]) * _ABSORB
            state ^= state >> uint64(32)
        state ^= state >> uint64(29)
        state *= _MIX_1
        state ^= state >> uint64(32)
        state *= _MIX_2
        state ^= state >> uint64(29)
        position = multiply_high(state, count)
    states[thread] = state


# What runs beside the product. One that is not used here was never compiled.
BESIDE_PRODUCT = (lane_keys, generate, hash_chunks, reduce_rows, reduce_round, chain_seed, keep_window)
