"""The beginning of a proof inside a pod: one file, run there by its own Python, 3.8 or newer, with nothing but its
standard library. Unpacks the prover beside it, gets what that needs, and starts it once for each device.

Usage: python3 FILE RUN REQUIREMENT... --cards REQUIREMENT... with RUN a folder that holds task.json, and what pip is to
fetch with and without cards. Where RUN/../wheels has wheels, those are unpacked and nothing is fetched.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MARK = "assay-prover "
LEAST = (3, 11)
NAMES = ("python3.12", "python3.11")
NEEDED = "import numpy, numba, Crypto.Hash.keccak"
NEEDED_ON_CARDS = NEEDED + ", numba_cuda, nvmath"
INSTALL_S = 900


class Missing(Exception):
    """The image lacks something; the text says what."""


def python() -> str:
    """A Python that is new enough. Raises Missing."""
    if sys.version_info >= LEAST:
        return sys.executable
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise Missing("the image has no Python from {}.{} on".format(*LEAST))
    return found


def has_cards() -> bool:
    """Whether the CUDA driver's library is there."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def get(program: str, home: Path, environment: dict[str, str], requirements: Sequence[str]) -> None:
    """What the prover needs, where the image and an earlier proof have not got it. Raises Missing."""
    needed = [program, "-c", NEEDED_ON_CARDS if has_cards() else NEEDED]
    if subprocess.run(needed, env=environment, capture_output=True, check=False).returncode == 0:  # noqa: S603
        return
    site, wheels = home / "site", sorted((home / "wheels").glob("*.whl"))
    shutil.rmtree(site, ignore_errors=True)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(site)
    if not wheels:
        _install(program, site, requirements)
    told = subprocess.run(needed, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if told.returncode:
        raise Missing("what was fetched does not run here: " + (told.stderr.strip().splitlines() or ["?"])[-1][:200])


def _install(program: str, site: Path, requirements: Sequence[str]) -> None:
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--only-binary=:all:", "--target", str(site)]
    try:
        done = subprocess.run(  # noqa: S603
            [program, "-m", "pip", "install", *quiet, *requirements],
            capture_output=True, text=True, timeout=INSTALL_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Missing(f"pip took longer than {INSTALL_S} s") from None
    if done.returncode:
        raise Missing("pip could not fetch the prover's libraries: " + (done.stderr.strip().splitlines() or ["?"])[-1])


def share(number: int, devices: int) -> dict[str, str]:
    """What makes one of several devices of a pod the only one that a process sees, or its part of the processor."""
    if not has_cards():
        return {"ASSAY_PROOF_THREADS": str(max(1, len(os.sched_getaffinity(0)) // devices))}
    listed = [one for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one]
    names = listed or [str(one) for one in range(devices)]
    if number >= len(names):
        raise Missing(f"the pod has {len(names)} cards for {devices} devices")
    return {"CUDA_VISIBLE_DEVICES": names[number]}


def main(run: Path, requirements: Sequence[str]) -> int:
    """Proves for every device of the task, at once; the worst exit status of them."""
    home = run.parent
    try:
        devices = len(json.loads((run / "task.json").read_text())["devices"])
        program, source = python(), home / "source"
        shutil.rmtree(source, ignore_errors=True)
        with zipfile.ZipFile(home / "prover.zip") as packed:
            packed.extractall(source)
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(str((home / name).resolve()) for name in ("source", "site"))
        environment["NUMBA_CACHE_DIR"] = str((home / "cache").resolve())
        at = list(requirements).index("--cards")
        get(program, home, environment, requirements[at + 1 :] if has_cards() else requirements[:at])
        each = [share(number, devices) for number in range(devices)]
        running = [
            subprocess.Popen(  # noqa: S603
                [program, "-m", "assay.proof.pod.prover", str(run), str(number)], env={**environment, **each[number]}
            )
            for number in range(devices)
        ]
        return max(one.wait() for one in running)
    except (Missing, OSError, ValueError, zipfile.BadZipFile) as error:
        print(MARK + json.dumps({"device": 0, "step": "failed", "reason": str(error)[:300]}), flush=True)
        return 1
    finally:
        shutil.rmtree(run, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
