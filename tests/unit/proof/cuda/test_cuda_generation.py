"""The generator's own code for cards, carried out in NumPy: which thread writes which word of a row, and what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from assay.proof import generator
from assay.proof.cuda.emission import Value, constant
from assay.proof.cuda.generation import QUAD, RowWords, mixed
from assay.proof.kernels import generator as on_processor
from assay.proof.kernels.words import seed_words

from .tensor_core_model import THREADS, Machine, Register

KEYS_AT, WORDS_AT = 1 << 40, 1 << 41
SEED = bytes(range(32))


class InModel(RowWords):
    """Variables are lists of one, and memory is the model's."""

    def slot(self, value: Value) -> Any:
        return [value.ir]

    def load_quad(self, address: Register) -> list[Value]:
        machine: Any = self.builder
        assert (address.values % np.uint64(16) == 0).all()
        array, at = machine._place(address.values, 16)
        words = array[at].view(np.uint32)
        return [Value(machine, Register.of(words[:, n], 32)) for n in range(QUAD)]

    def store_quad(self, address: Register, values: list[Value]) -> None:
        machine: Any = self.builder
        machine.store([value.ir for value in values], address, align=16)


@pytest.mark.parametrize(("tag", "name"), [(65, generator.TAG_A), (66, generator.TAG_B)])
@pytest.mark.parametrize("blocks", [1, 2])
def test_row_words__all_threads_of_a_row__each_word_once_and_the_generator_s(
    tag: int, name: bytes, blocks: int
) -> None:
    length, row = 16 * THREADS * 3, 70_001
    keys = np.empty((1, 2, 16), np.uint32)
    on_processor.lane_keys(seed_words(SEED), tag, row, keys)
    words = np.zeros(length // 4, np.uint32)
    stride, quads = blocks * THREADS, length // 16
    for block in range(blocks):
        machine: Any = Machine(
            [(KEYS_AT, keys.reshape(-1).view(np.uint8)), (WORDS_AT, words.view(np.uint8))], np.zeros(0, np.uint8)
        )
        first = block * THREADS + np.arange(THREADS)
        emitted = InModel(
            machine,
            Register.of(KEYS_AT, 64),
            Register.of(WORDS_AT, 64),
            Value(machine, Register.of(first, 32)),
            constant(machine, stride),
        )
        emitted.begin()
        for start in range(0, quads - block * THREADS, stride):
            emitted.advance(Value(machine, Register.of(first + start, 32)))
    assert np.array_equal(words.view(np.int8), generator.vector(SEED, name, row, length))


def test_mixed__keys_and_counters__the_generator_s_words() -> None:
    keys = np.empty((1, 2, 16), np.uint32)
    on_processor.lane_keys(seed_words(SEED), 65, 5, keys)
    found = mixed(keys[0, 0], keys[0, 1])
    assert np.array_equal(found.view(np.int8), generator.vector(SEED, generator.TAG_A, 5, 64))
