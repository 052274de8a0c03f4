"""Renders frames of a turning fractal as PPM images with NumPy.

On a lease: `assay run LEASE --upload examples/render_frames.py --download frame-0007.ppm -- python3
render_frames.py`
"""

import time
from pathlib import Path

import numpy as np

FRAMES, WIDTH, HEIGHT, STEPS = 8, 320, 200, 60


def frame(angle: float) -> np.ndarray:
    """One image, uint8 of shape (HEIGHT, WIDTH, 3): how fast each point leaves under z² + c."""
    y, x = np.mgrid[-1.2 : 1.2 : HEIGHT * 1j, -1.9 : 1.9 : WIDTH * 1j]
    z = x + 1j * y
    c = 0.7885 * np.exp(1j * angle)
    steps = np.zeros(z.shape)
    for _ in range(STEPS):
        inside = np.abs(z) < 4
        z[inside] = z[inside] ** 2 + c
        steps += inside
    shade = steps / STEPS
    return (255 * np.stack([shade**0.5, shade, shade**2], -1)).astype(np.uint8)


def main() -> None:
    """Writes frame-NNNN.ppm and says how long each took."""
    for number in range(FRAMES):
        started = time.perf_counter()
        image = frame(2 * np.pi * number / FRAMES)
        header = f"P6 {WIDTH} {HEIGHT} 255\n".encode()
        Path(f"frame-{number:04d}.ppm").write_bytes(header + image.tobytes())
        print(f"frame {number}: {1000 * (time.perf_counter() - started):.0f} ms", flush=True)


if __name__ == "__main__":
    main()
