"""Trains a small network on a made-up task with NumPy, and writes its weights and its accuracy.

On a lease: `assay run LEASE --upload examples/train_network.py --download weights.npz -- python3
train_network.py`
"""

import json
from itertools import pairwise

import numpy as np

STEPS, BATCH, HIDDEN = 600, 256, 64


def points(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved spirals: (count, 2) and labels 0 or 1."""
    labels = random.integers(0, 2, count)
    turn = random.uniform(0.5, 3 * np.pi, count)
    noise = random.normal(0, 0.15, (count, 2))
    return np.stack([np.cos(turn + np.pi * labels), np.sin(turn + np.pi * labels)], 1) * turn[:, None] + noise, labels


def main() -> None:
    """Gradient descent by hand, so that the job needs NumPy only."""
    random = np.random.default_rng(1)
    sizes = [2, HIDDEN, HIDDEN, 1]
    weights = [random.normal(0, np.sqrt(2 / a), (a, b)) for a, b in pairwise(sizes)]
    biases = [np.zeros(b) for b in sizes[1:]]
    moments = [np.zeros_like(p) for p in (*weights, *biases)]
    squares = [np.zeros_like(p) for p in (*weights, *biases)]

    def forward(x: np.ndarray) -> list[np.ndarray]:
        layers = [x]
        for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
            z = layers[-1] @ w + b
            layers.append(np.tanh(z) if i < len(weights) - 1 else 1 / (1 + np.exp(-z)))
        return layers

    for step in range(1, STEPS + 1):
        x, y = points(random, BATCH)
        layers = forward(x / 10)
        delta = (layers[-1] - y[:, None]) / BATCH
        gradients_w, gradients_b = [], []
        for i in reversed(range(len(weights))):
            gradients_w.insert(0, layers[i].T @ delta)
            gradients_b.insert(0, delta.sum(0))
            delta = (delta @ weights[i].T) * (1 - layers[i] ** 2)
        for n, (parameter, gradient) in enumerate(zip([*weights, *biases], [*gradients_w, *gradients_b], strict=True)):
            moments[n] = 0.9 * moments[n] + 0.1 * gradient
            squares[n] = 0.999 * squares[n] + 0.001 * gradient**2
            parameter -= 0.02 * (moments[n] / (1 - 0.9**step)) / (np.sqrt(squares[n] / (1 - 0.999**step)) + 1e-8)
        if step % 100 == 0:
            x, y = points(random, 4096)
            accuracy = float(((forward(x / 10)[-1][:, 0] > 0.5) == y).mean())
            print(json.dumps({"step": step, "accuracy": round(accuracy, 4)}), flush=True)
    np.savez("weights.npz", *weights, *biases)


if __name__ == "__main__":
    main()
