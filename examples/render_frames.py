"""Renders frames of a turning fractal as PPM images with NumPy, spread over leases.

Typed here, with the numbers of the leases; a lease that ends or fails on the way leaves its frames to the others:

    python examples/render_frames.py --leases 7 8 --frames 24 --into frames

In a pod it renders one frame: `python3 render_frames.py --frame 3 --frames 24`.
"""

import argparse
import asyncio
import time
from collections import deque
from pathlib import Path

WIDTH, HEIGHT, STEPS = 320, 200, 60
PATIENCE_S = 20.0  # for a provider that does not answer, until its frames go to the others


def name_of(number: int) -> str:
    """The file of a frame."""
    return f"frame-{number:04d}.ppm"


def render(angle: float) -> bytes:
    """One image: how fast each point leaves under z² + c."""
    import numpy as np  # in the pod; the machine that spreads the frames needs none

    y, x = np.mgrid[-1.2 : 1.2 : HEIGHT * 1j, -1.9 : 1.9 : WIDTH * 1j]
    z = x + 1j * y
    c = 0.7885 * np.exp(1j * angle)
    steps = np.zeros(z.shape)
    for _ in range(STEPS):
        inside = np.abs(z) < 4
        z[inside] = z[inside] ** 2 + c
        steps += inside
    shade = steps / STEPS
    image = (255 * np.stack([shade**0.5, shade, shade**2], -1)).astype(np.uint8)
    return f"P6 {WIDTH} {HEIGHT} 255\n".encode() + image.tobytes()


class Spread:
    """Hands frames out to leases until all are there."""

    def __init__(self, frames: int, into: Path) -> None:
        self._frames, self._into = frames, into
        self._waiting = deque(number for number in range(frames) if not (into / name_of(number)).exists())
        self._left = len(self._waiting)
        self._program = Path(__file__).read_bytes()

    async def over(self, leases: list[int]) -> int:
        """How many frames are left when no lease can render more."""
        from assay.renter import Renter, RenterSettings

        async with Renter.connect(RenterSettings.load({})) as renter:
            await asyncio.gather(*(self._work(renter, lease) for lease in leases))
        return self._left

    async def _work(self, renter, lease: int) -> None:
        from assay.renter.errors import RenterError

        try:
            session = await renter.session(lease)
        except RenterError as error:
            return print(f"lease {lease} takes no part: {error}", flush=True)
        while self._left:
            if not self._waiting:  # the rest is being rendered, and may yet come back from a lease that fails
                await asyncio.sleep(0.2)
                continue
            number, began = self._waiting.popleft(), time.perf_counter()
            try:
                (self._into / name_of(number)).write_bytes(await self._rendered(session, number))
            except (RenterError, RuntimeError) as error:
                self._waiting.append(number)
                return print(f"lease {lease} takes no further part: {error}", flush=True)
            self._left -= 1
            print(f"lease {lease}: frame {number} in {time.perf_counter() - began:.1f} s", flush=True)

    async def _rendered(self, session, number: int) -> bytes:
        from assay.renter.session.jobs import run_job

        command = ("python3", "render_frames.py", "--frame", str(number), "--frames", str(self._frames))
        job = await session.create_job(command, {"render_frames.py": self._program}, {}, {})
        output: list[bytes] = []
        ended = await run_job(session, job, output.append, PATIENCE_S)
        if ended.exit_code != 0:
            said = b"".join(output).decode(errors="replace").strip()[-300:]
            raise RuntimeError(f"frame {number}: {ended.reason or said or ended.status}")
        return await session.fetch(name_of(number))


def main() -> None:
    """Renders a frame here, or all of them on leases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leases", type=int, nargs="+", help="that render")
    parser.add_argument("--frames", type=int, default=8, help="of the whole turn")
    parser.add_argument("--frame", type=int, help="render this one here")
    parser.add_argument("--into", type=Path, default=Path(), help="folder of the frames; those in it are not rendered")
    given = parser.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    if given.leases:
        if left := asyncio.run(Spread(given.frames, given.into).over(given.leases)):
            raise SystemExit(f"{left} frames are left: no lease can render them")
        return
    for number in range(given.frames) if given.frame is None else [given.frame]:
        (given.into / name_of(number)).write_bytes(render(6.283185307179586 * number / given.frames))


if __name__ == "__main__":
    main()
