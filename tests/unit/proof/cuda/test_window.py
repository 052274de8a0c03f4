"""The window's one place on a card."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from assay.proof.cuda import window as module
from assay.proof.cuda.window import WindowPlace
from assay.proof.errors import ProofError

SIZE = 1 << 20


class Memory:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free, self.allocated = 1 << 40, 0
        monkeypatch.setattr(module, "free_memory", lambda: self.free)
        monkeypatch.setattr(module, "cuda", SimpleNamespace(device_array=self.array))

    def array(self, length: int, kind: object) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        self.allocated += 1
        return np.zeros(length, np.uint64)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    return Memory(monkeypatch)


def test_take__a_proof_after_another__the_same_memory_and_the_first_says_that_it_is_gone(memory: Memory) -> None:
    place = WindowPlace()
    place.reserve(SIZE)
    first = place.take(SIZE)
    assert first is not None
    array = first.array
    second = place.take(SIZE)
    assert second is not None
    assert second.array is array
    assert memory.allocated == 1
    with pytest.raises(ProofError, match="another proof took their place"):
        _ = first.array


def test_reserve__a_proof_still_has_its_window__left_alone(memory: Memory) -> None:
    place = WindowPlace()
    held = place.take(SIZE)
    assert held is not None
    place.reserve(2 * SIZE)
    assert held.array.nbytes == SIZE
    del held
    place.reserve(2 * SIZE)
    assert memory.allocated == 2


def test_take__no_room_or_no_window__none(memory: Memory) -> None:
    place = WindowPlace()
    assert place.take(0) is None
    memory.free = SIZE
    place.reserve(SIZE)
    assert place.take(SIZE) is None
    assert memory.allocated == 0
