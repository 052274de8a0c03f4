"""Static files: ours beside this module; npm's as npm ships them, copied here by `make market-assets`."""

from __future__ import annotations

import hashlib
from pathlib import Path

STATIC = Path(__file__).with_name("static")
VENDOR = STATIC / "vendor"
NODE_MODULES = Path(__file__).resolve().parents[4] / "node_modules"
# served name -> file in node_modules
FROM_NPM = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "uPlot.iife.min.js": "uplot/dist/uPlot.iife.min.js",
    "uPlot.min.css": "uplot/dist/uPlot.min.css",
    "sha3.min.js": "js-sha3/build/sha3.min.js",
}


def vendor_files() -> dict[str, Path]:
    """The npm files that are there, from the package or else from a checkout's node_modules.

    Pages work without them: filters reload the page, charts are tables, proofs are verified in a terminal.
    """
    found = {}
    for name, source in FROM_NPM.items():
        for path in (VENDOR / name, NODE_MODULES / source):
            if path.is_file():
                found[name] = path
                break
    return found


def fingerprint() -> str:
    """A short hash of all static files, so that a new version is not hidden behind an old cache."""
    digest = hashlib.sha256()
    for path in sorted([*STATIC.glob("*.*"), *vendor_files().values()]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]
