"""Fine-tunes a small network on points of a spiral that is turned away from the one it has learned, with NumPy.

It goes on from its last checkpoint wherever it was stopped. Worker processes draw the points into shared memory
(/dev/shm, half of a pod's memory) while the network learns from those before. In a pod, where all that it writes stays
in /workspace until the lease ends:

    assay run LEASE --upload examples/fine_tune.py -- python3 fine_tune.py --base
    assay run LEASE -- python3 fine_tune.py                # stopped and typed again, it goes on
    assay cp LEASE:tuned.npz .
"""

import argparse
import json
import os
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np

SIZES, BATCH, WORKERS, AHEAD = (2, 64, 64, 1), 2048, 2, 64
BASE_STEPS, EVERY, RATE = 400, 50, 0.01
TURN = np.pi / 2
BASE, CHECKPOINT, TUNED = Path("base.npz"), Path("checkpoint.npz"), Path("tuned.npz")


def points(seed: int, turned: float) -> np.ndarray:
    """A batch of two interleaved spirals: (BATCH, 3), the last of them the label, the same for the same seed."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, BATCH)
    at = random.uniform(0.5, 3 * np.pi, BATCH)
    angle = at + np.pi * labels + turned
    place = np.stack([np.cos(angle), np.sin(angle)], 1) * at[:, None] + random.normal(0, 0.15, (BATCH, 2))
    return np.column_stack([place / 10, labels])


class Loader:
    """Batches from worker processes, in order: batch n lies in slot n % AHEAD of one piece of shared memory."""

    def __init__(self, first: int, last: int, turned: float) -> None:
        forks = get_context("fork")  # so that the workers have the memory itself, and no name of it is needed
        memory = SharedMemory(create=True, size=AHEAD * BATCH * 3 * 8)
        self._memory = memory  # the array does not hold it
        self._slots = np.ndarray((AHEAD, BATCH, 3), buffer=memory.buf)
        self._free, self._ready = forks.Semaphore(AHEAD), [forks.Semaphore(0) for _ in range(AHEAD)]
        self._taken = forks.Value("q", first)
        self._range, self._turned = (first, last), turned
        self.workers = [forks.Process(target=self._draw, daemon=True) for _ in range(WORKERS)]
        for worker in self.workers:
            worker.start()
        memory.unlink()  # nothing stays in /dev/shm, however this ends

    def _draw(self) -> None:
        while True:
            self._free.acquire()
            with self._taken.get_lock():
                number = self._taken.value
                self._taken.value += 1
            if number > self._range[1]:
                return
            self._slots[number % AHEAD] = points(number, self._turned)
            self._ready[number % AHEAD].release()

    def take(self, number: int) -> np.ndarray:
        """The batch of that number, which is asked for after the one before it."""
        self._ready[number % AHEAD].acquire()
        batch = self._slots[number % AHEAD].copy()
        self._free.release()
        return batch


class Network:
    """A small network with tanh between its layers, and Adam's moments of its parameters."""

    def __init__(self, parameters: list[np.ndarray]) -> None:
        self.parameters = parameters
        self.moments = [np.zeros_like(one) for one in parameters]
        self.squares = [np.zeros_like(one) for one in parameters]
        self.step = 0

    @classmethod
    def new(cls) -> "Network":
        random = np.random.default_rng(1)
        weights = [random.normal(0, np.sqrt(2 / a), (a, b)) for a, b in pairwise(SIZES)]
        return cls([*weights, *(np.zeros(b) for b in SIZES[1:])])

    @classmethod
    def load(cls, path: Path, anew: bool) -> "Network":
        """From a file; `anew`, its parameters alone."""
        with np.load(path) as saved:
            count = 2 * (len(SIZES) - 1)
            found = cls([saved[f"parameter{n}"] for n in range(count)])
            if not anew:
                found.moments = [saved[f"moment{n}"] for n in range(count)]
                found.squares = [saved[f"square{n}"] for n in range(count)]
                found.step = int(saved["step"])
        return found

    def save(self, path: Path) -> None:
        """Whole or not at all: whatever stops this leaves the file before it."""
        arrays = {f"parameter{n}": one for n, one in enumerate(self.parameters)}
        arrays |= {f"moment{n}": one for n, one in enumerate(self.moments)}
        arrays |= {f"square{n}": one for n, one in enumerate(self.squares)}
        part = path.with_name(f"part-{path.name}")
        np.savez(part, step=self.step, **arrays)
        part.rename(path)

    def layers(self, x: np.ndarray) -> list[np.ndarray]:
        """What each layer makes of the one before."""
        depth, found = len(SIZES) - 1, [x]
        for n in range(depth):
            z = found[-1] @ self.parameters[n] + self.parameters[depth + n]
            found.append(np.tanh(z) if n < depth - 1 else 1 / (1 + np.exp(-z)))
        return found

    def accuracy(self, batch: np.ndarray) -> float:
        """The share of points that it tells apart."""
        return float(((self.layers(batch[:, :2])[-1][:, 0] > 0.5) == (batch[:, 2] > 0.5)).mean())

    def learn(self, batch: np.ndarray) -> None:
        """One step of Adam."""
        depth, layers = len(SIZES) - 1, self.layers(batch[:, :2])
        delta = (layers[-1] - batch[:, 2:]) / len(batch)
        gradients = [np.empty(0)] * (2 * depth)
        for n in reversed(range(depth)):
            gradients[n], gradients[depth + n] = layers[n].T @ delta, delta.sum(0)
            delta = (delta @ self.parameters[n].T) * (1 - layers[n] ** 2)
        self.step += 1
        for n, gradient in enumerate(gradients):
            self.moments[n] = 0.9 * self.moments[n] + 0.1 * gradient
            self.squares[n] = 0.999 * self.squares[n] + 0.001 * gradient**2
            mean, square = self.moments[n] / (1 - 0.9**self.step), self.squares[n] / (1 - 0.999**self.step)
            self.parameters[n] = self.parameters[n] - RATE * mean / (np.sqrt(square) + 1e-8)


def train(network: Network, steps: int, turned: float, checkpoint: Path | None) -> None:
    """Until that step, with a line and a checkpoint every EVERY."""
    test = points(0, turned)  # a batch that is not learned from
    print(json.dumps({"step": network.step, "accuracy": round(network.accuracy(test), 4)}), flush=True)
    loader = Loader(network.step + 1, steps, turned)
    while network.step < steps:
        network.learn(loader.take(network.step + 1))
        if network.step % EVERY == 0 or network.step == steps:
            if checkpoint is not None:
                network.save(checkpoint)
            print(json.dumps({"step": network.step, "accuracy": round(network.accuracy(test), 4)}), flush=True)


def main() -> None:
    """Trains the base, or goes on from it or from the last checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", action="store_true", help=f"train the network to start from, into {BASE}")
    parser.add_argument("--steps", type=int, default=600, help="of fine-tuning")
    given = parser.parse_args()
    if given.base:
        network = Network.new()
        train(network, BASE_STEPS, 0.0, None)
        network.save(BASE)
        return
    if not (BASE.exists() or CHECKPOINT.exists()):
        raise SystemExit(f"no {BASE} here: make it with --base")
    network = Network.load(CHECKPOINT, anew=False) if CHECKPOINT.exists() else Network.load(BASE, anew=True)
    shared = AHEAD * BATCH * 3 * 8 >> 10
    print(f"{WORKERS} workers, {shared} KiB of shared memory, {os.cpu_count()} cores", flush=True)
    train(network, given.steps, TURN, CHECKPOINT)
    network.save(TUNED)


if __name__ == "__main__":
    main()
