"""The order of work on the card: streams whose work is carried out in any order that their events allow."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from assay.proof.cuda import rounds
from assay.proof.cuda.health import Health
from assay.proof.engines.reference import ReferenceEngine, exact_product
from assay.proof.errors import DeviceLost
from assay.proof.generator import TAG_A, TAG_B, matrix
from assay.proof.kernels import keccak
from assay.proof.kernels.row_trees import tree_levels
from assay.proof.kernels.words import as_bytes, seed_words
from assay.protocol.profile import Profile
from assay.protocol.seeds import next_seed

PROFILE = Profile(1, M=8, N=64, K=64, T=7, chunk=32, k=4, W=3).validate()
BETA, SEED = bytes([1]) * 32, bytes([2]) * 32
Work = Callable[[], bool | None]  # False: not yet


class Stream(int):
    card: Card

    def synchronize(self) -> None:
        self.card.synchronize()


class Card:
    """Streams, events and memory; `pick` chooses which stream goes on; `done` are the kernels carried out."""

    def __init__(self, pick: Callable[[list[int]], int], forgets: tuple[int, int] | None = None) -> None:
        """`forgets` is a wait that is left out: (kind of event in the order in which they are made, stream)."""
        self.queues: list[deque[Work]] = []
        self.events: list[Event] = []
        self.pick, self.forgets = pick, forgets
        self.done: list[str] = []

    def stream(self) -> Stream:
        self.queues.append(deque())
        stream = Stream(len(self.queues) - 1)
        stream.card = self
        return stream

    def queue(self, stream: int, work: Callable[..., None], *arguments: Any) -> None:
        def carry_out() -> None:
            work(*arguments)
            self.done.append(work.__name__)

        self.queues[stream].append(carry_out)

    def event(self) -> Event:
        self.events.append(Event(self, len(self.events) // 2))
        return self.events[-1]

    def to_device(self, values: Any) -> Memory:
        return np.array(values).view(Memory).of(self)

    def device_array(self, shape: Any, kind: Any) -> Memory:
        return np.full(shape, 0x5A, kind).view(Memory).of(self)

    def synchronize(self) -> None:
        """Carries everything out; a stream whose first work has to wait is passed over."""
        stuck: set[int] = set()
        while ready := [n for n, queue in enumerate(self.queues) if queue and n not in stuck]:
            chosen = self.pick(ready)
            if self.queues[chosen][0]() is False:
                stuck.add(chosen)
            else:
                self.queues[chosen].popleft()
                stuck.clear()
        assert not any(self.queues), "streams wait for each other"


class Memory(np.ndarray):  # type: ignore[type-arg]
    """On the card: reading it back waits for everything."""

    card: Card

    def of(self, card: Card) -> Memory:
        self.card = card
        return self

    def __array_finalize__(self, of: Any) -> None:
        self.card = getattr(of, "card", None)  # type: ignore[assignment]

    def copy_to_host(self) -> Any:
        self.card.synchronize()
        return np.array(self)


class Event:
    def __init__(self, card: Card, kind: int) -> None:
        self.card, self.kind, self.recorded, self.reached = card, kind, 0, 0

    def record(self, stream: int) -> None:
        self.recorded += 1
        number = self.recorded
        self.card.queues[stream].append(lambda: setattr(self, "reached", max(self.reached, number)))

    def wait(self, stream: int) -> None:
        number = self.recorded
        if (self.kind, int(stream)) != self.card.forgets:
            self.card.queues[stream].append(lambda: self.reached >= number)


class Kernel:
    """`kernel[grid, threads, stream](arguments)` queues what the kernel does."""

    def __init__(self, card: Card, work: Callable[..., None]) -> None:
        self.card, self.work = card, work

    def __getitem__(self, configuration: Any) -> Callable[..., None]:
        return lambda *arguments: self.card.queue(configuration[2], self.work, *arguments)


def chain_seed(seeds: Any, roots: Any, t: int) -> None:
    seeds[t] = seed_words(next_seed(as_bytes(seeds[t - 1]), as_bytes(roots[t - 2]) if t >= 2 else bytes(32)))


def hash_chunks(words: Any, chunk_words: int, leaves: Any) -> None:
    keccak.hash_rows(np.array(words).reshape(-1, chunk_words), np.asarray(leaves))


def reduce_rows(leaves: Any, per_row: int, row_roots: Any, t: int) -> None:
    for row in range(row_roots.shape[1]):
        own = np.array(leaves[row * per_row : (row + 1) * per_row]).view(np.uint8)
        row_roots[t, row] = tree_levels(own)[-1].view(np.uint64)


def reduce_round(row_roots: Any, t: int, scratch: Any, roots: Any) -> None:
    roots[t] = tree_levels(np.array(row_roots[t]).view(np.uint8))[-1].view(np.uint64)


def keep_window(words: Any, window: Any, first: int) -> None:
    kept = np.array(words).view(np.uint32).astype(np.uint16).view(np.uint64)
    window[first : first + len(kept)] = kept


def fill(seeds: Any, t: int, words: Any) -> None:
    words[:] = matrix(as_bytes(seeds[t]), TAG_A, PROFILE.M, PROFILE.K).view(np.uint32)


def multiply(a: Any, b: Any, out: Any) -> None:
    out[:] = exact_product(np.array(a).view(np.int8), b)


def proven(monkeypatch: pytest.MonkeyPatch, card: Card, health: Health | None = None) -> Any:
    kernels = (chain_seed, hash_chunks, reduce_rows, reduce_round, keep_window)
    named = {work.__name__: Kernel(card, work) for work in kernels}
    monkeypatch.setattr(rounds, "plain_kernels", SimpleNamespace(TREE_THREADS=8, **named))
    monkeypatch.setattr(rounds, "cuda", card)

    def generate(seeds: Any, t: int, tag: int, indices: Any, keys: Any, words: Any, stream: int) -> None:
        card.queue(stream, fill, seeds, t, words)

    def product(a: Any, b: Any, out: Any, stream: int) -> None:
        card.queue(stream, multiply, a, b, out)

    monkeypatch.setattr(rounds, "generate", generate)
    b = matrix(BETA, TAG_B, PROFILE.N, PROFILE.K)
    run = rounds.ProofRun(PROFILE, b, product, health or Health(None, 0))
    window = card.device_array(PROFILE.W * PROFILE.M * PROFILE.N // 4, np.uint64)
    seeds, roots, row_roots = run.rounds(SEED, window)
    return seeds, roots, row_roots.copy_to_host().view(np.uint8), window


def agrees(found: Any) -> bool:
    reference = ReferenceEngine()
    reference.prepare(PROFILE, BETA)
    expected = reference.prove(SEED)
    seeds, roots, row_roots, window = found
    claim = expected.claimed_memory()
    return (
        (seeds, roots) == (expected.round_seeds, expected.round_roots)
        and np.array_equal(row_roots, expected.row_roots)
        and np.array_equal(np.asarray(window).view(np.uint16), claim.reshape(-1))  # type: ignore[union-attr]
    )


ORDERS = {
    "multiply first": min,
    "hash first": max,
    **{f"random {seed}": random.Random(seed).choice for seed in range(4)},
}


@pytest.mark.parametrize("order", ORDERS)
def test_rounds__any_order_that_events_allow__the_reference_s_bytes(
    monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    assert agrees(proven(monkeypatch, Card(ORDERS[order])))


GENERATED, MULTIPLIED, HASHED = range(3)
GENERATING, COMPUTE, HASHING = range(3)


@pytest.mark.parametrize("forgotten", [(HASHED, GENERATING), (GENERATED, COMPUTE), (MULTIPLIED, HASHING)])
def test_rounds__without_one_of_the_waits__some_order_goes_wrong(
    monkeypatch: pytest.MonkeyPatch, forgotten: tuple[int, int]
) -> None:
    """The test above would notice a wait that is missing."""
    orders = [*ORDERS.values(), *(random.Random(seed).choice for seed in range(20))]
    assert not all(agrees(proven(monkeypatch, Card(order, forgotten))) for order in orders)


def test_rounds__a_busy_hashing_stream__the_next_round_is_multiplied_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Round t + 1 is multiplied while round t waits to be hashed, and round t + 2 is not: its seed needs that hash."""
    card = Card(min)
    proven(monkeypatch, card)
    order = [name for name in card.done if name in ("multiply", "reduce_round")]
    assert order == ["multiply", "multiply", *["reduce_round", "multiply"] * (PROFILE.T - 2), *["reduce_round"] * 2]


@pytest.mark.parametrize("said", ["99 °C", "stopped answering"])
def test_rounds__the_card_overheats_or_goes__no_commitment(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    looks = iter([20, 20])

    def read() -> int:
        if (temperature := next(looks, 99)) == 99 and said == "stopped answering":
            raise DeviceLost("the GPU stopped answering; no commitment was made")
        return temperature

    monkeypatch.setattr(rounds, "_CHECK_EVERY", 2)
    with pytest.raises(DeviceLost, match=f"{said}.*no commitment was made"):
        proven(monkeypatch, Card(min), Health(read, 90))
