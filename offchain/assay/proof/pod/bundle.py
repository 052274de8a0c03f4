"""What is sent into a pod to prove there: the sources of this very proof, and the names of the libraries it needs."""

from __future__ import annotations

import io
import re
import zipfile
from functools import cache
from importlib.metadata import requires
from importlib.resources import files
from importlib.resources.abc import Traversable

FIRST = "assay_prover.py"
SENT = ("proof", "protocol")
LEFT_OUT = frozenset({"adversaries", "__pycache__"})
LIBRARIES = ("numpy", "numba", "pycryptodome")
ON_CARDS = ("numba-cuda", "numpy", "nvmath-python", "nvidia-cublas-cu12")


@cache
def packed() -> bytes:
    """The sources as a zip, the same bytes every time."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _sources():
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return written.getvalue()


def first_file() -> bytes:
    """The one file that the pod's Python runs."""
    return files("assay.proof.pod").joinpath("begin.py").read_bytes()


def command(run: str) -> list[str]:
    """What the pod runs, in the folder where `first_file` is."""
    return ["python3", FIRST, run, *requirements(on_cards=False), "--cards", *requirements(on_cards=True)]


def requirements(on_cards: bool) -> tuple[str, ...]:
    """As pip takes them, within the bounds that this package has of them."""
    bounds: dict[str, set[str]] = {}
    for one in requires("assay") or ():
        wanted, _, condition = one.partition(";")
        name = re.split(r"[^A-Za-z0-9._-]", wanted.strip(), maxsplit=1)[0].lower()
        if not condition.strip() or (on_cards and condition.replace("'", '"').strip() == 'extra == "gpu"'):
            bounds.setdefault(name, set()).add(re.sub(r"^[A-Za-z0-9._-]+", "", wanted.strip()))
    names = dict.fromkeys((*LIBRARIES, *(ON_CARDS if on_cards else ())))
    return tuple(f"{name}{bound}" for name in names for bound in sorted(bounds.get(name, {""})))


def _sources() -> list[tuple[str, bytes]]:
    package = files("assay")
    found = [("assay/__init__.py", package.joinpath("__init__.py").read_bytes())]
    for name in SENT:
        found += _below(package.joinpath(name), f"assay/{name}")
    return sorted(found)


def _below(folder: Traversable, path: str) -> list[tuple[str, bytes]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name not in LEFT_OUT:
            found += _below(entry, f"{path}/{entry.name}")
        elif entry.name.endswith(".py"):
            found.append((f"{path}/{entry.name}", entry.read_bytes()))
    return found
