"""Rounds in flight: the seed of a round needs the root of the last but one, so
two rounds run side by side.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from assay.proof.seed_chain import seed_after
from assay.protocol.types import Seed


class RoundPipeline:
    """Shares out (round, part) in order to threads, each waiting for its round's seed.

    Args:
        rounds: T.
        parts: pieces that a round is cut into.
        threads: how many run side by side.
        compute: called with (t, s_t, part); must be safe to call from several threads.
        finish: called once with t when all parts of a round are computed; returns root_t.
    """

    def __init__(
        self,
        rounds: int,
        parts: int,
        threads: int,
        compute: Callable[[int, bytes, int], None],
        finish: Callable[[int], bytes],
    ) -> None:
        self._rounds, self._parts, self._threads = rounds, parts, threads
        self._compute, self._finish = compute, finish
        self._ready = threading.Condition()
        self._next = 0
        self._left = [parts] * rounds
        self._roots: dict[int, bytes] = {}
        self._seeds: list[bytes] = []
        self._failure: BaseException | None = None

    def run(self, device_seed: Seed) -> tuple[list[bytes], list[bytes]]:
        """All round seeds and roots. Raises what a part raised, after every thread has stopped."""
        self._seeds = [device_seed]
        self._chain()
        helpers = [threading.Thread(target=self._work) for _ in range(self._threads - 1)]
        for helper in helpers:
            helper.start()
        self._work()
        for helper in helpers:
            helper.join()
        if self._failure is not None:
            raise self._failure
        return self._seeds, [self._roots[t] for t in range(self._rounds)]

    def _chain(self) -> None:
        """Derives every seed whose roots are known."""
        while len(self._seeds) < self._rounds:
            t = len(self._seeds)
            if t >= 2 and t - 2 not in self._roots:
                return
            self._seeds.append(seed_after(self._seeds, self._roots))

    def _take(self) -> tuple[int, int, bytes] | None:
        with self._ready:
            if self._next == self._rounds * self._parts:
                return None
            t, part = divmod(self._next, self._parts)
            self._next += 1
            # Rounds are taken in order, so those waited for are already being computed.
            self._ready.wait_for(lambda: len(self._seeds) > t or self._failure is not None)
            return None if self._failure is not None else (t, part, self._seeds[t])

    def _work(self) -> None:
        try:
            while (task := self._take()) is not None:
                t, part, seed = task
                self._compute(t, seed, part)
                with self._ready:
                    self._left[t] -= 1
                    last = self._left[t] == 0
                if last:
                    root = self._finish(t)
                    with self._ready:
                        self._roots[t] = root
                        self._chain()
                        self._ready.notify_all()
        except BaseException as error:
            with self._ready:
                self._failure = self._failure or error
                self._ready.notify_all()
