"""The memory probe's window: the largest piece of a card's memory, allocated once and handed from proof to proof."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from assay.proof.cuda.runtime import cuda, free_memory
from assay.proof.errors import ProofError

_SPARE = 1 << 29  # bytes left free beside the window


class Window:
    """A proof's last W rounds modulo 2^16, until another proof takes the place."""

    def __init__(self, array: Any) -> None:
        self._array: Any = array

    @property
    def array(self) -> Any:
        """uint64[W·M·N/4] on the card. Raises ProofError once another proof lies there."""
        if self._array is None:
            raise ProofError("the last rounds are no longer on the card: another proof took their place")
        return self._array

    def give_up(self) -> Any:
        """The array, which is no longer this proof's."""
        array, self._array = self._array, None
        return array


class WindowPlace:
    """The one place for a window on a card."""

    def __init__(self) -> None:
        self._array: Any = None
        self._holder: weakref.ref[Window] = weakref.ref(Window(None))

    def reserve(self, size: int) -> None:
        """Allocates `size` bytes ahead of a proof, unless another still has its window or memory does not allow it."""
        if self._holder() is None:
            self._allocate(size)

    def take(self, size: int) -> Window | None:
        """The window of a new proof, None for no bytes or too little memory; an earlier proof loses its own."""
        if (holder := self._holder()) is not None:
            holder.give_up()
        self._allocate(size)
        if self._array is None:
            return None
        window = Window(self._array)
        self._holder = weakref.ref(window)
        return window

    def _allocate(self, size: int) -> None:
        if self._array is not None and self._array.nbytes == size:
            return
        self._array = None
        if size > 0 and size + _SPARE <= free_memory():
            self._array = cuda.device_array(size // 8, np.uint64)
