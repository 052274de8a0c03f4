"""Kernels over ranges, on as many threads as asked for.

The kernels release the interpreter's lock, so plain threads run them side by side. Numba's own thread pools
are not
used: they spin against BLAS, and the portable one ends the process when two threads enter it at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

ENVIRONMENT = "ASSAY_PROOF_THREADS"


def available_threads() -> int:
    """Threads to use by default: ASSAY_PROOF_THREADS, else the processors this process may run on."""
    asked = os.environ.get(ENVIRONMENT, "")
    if asked:
        if not asked.isdecimal() or not 1 <= int(asked) <= 1024:
            raise ValueError(f"{ENVIRONMENT}={asked!r}: must be a number of threads from 1 to 1024")
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Threads:
    """A fixed number of threads that share out ranges of work."""

    def __init__(self, count: int | None = None) -> None:
        self.count = count or available_threads()
        self._pool = ThreadPoolExecutor(self.count, "assay-proof") if self.count > 1 else None

    def over(self, total: int, task: Callable[[int, int], None], align: int = 1) -> None:
        """Calls task(first, end) on disjoint ranges that cover 0..total, and returns when all are done.

        Args:
            total: length of the range.
            task: called on the pool's threads; an exception of any is raised here.
            align: ranges begin at multiples of this.
        """
        step = max(align, -(-total // self.count // align) * align)
        if self._pool is None or total <= step:
            if total:
                task(0, total)
            return
        running = [self._pool.submit(task, at, min(at + step, total)) for at in range(0, total, step)]
        for future in running:
            future.result()
