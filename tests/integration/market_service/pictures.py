"""Pictures of every page for docs/images/market: on a desk in the light, on a phone in the dark."""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from .addresses import PICTURED
from .seeded import seeded_context, served

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "images" / "market"
# form, a folder of its own -> width, colour scheme, tallest picture
PICTURED_AS = {"desktop": (1280, "light", 2_200), "phone": (390, "dark", 1_500)}
SETTLED_MS = 500


def picture(browser: Browser, url: str, width: int, scheme: str, tallest: int) -> bytes:
    """The page from its top as a PNG."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_timeout(SETTLED_MS)
    height = min(page.evaluate("document.documentElement.scrollHeight"), tallest)
    shot = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height})
    context.close()
    return shot


def main() -> None:
    """Writes them, and takes away those of pages that are no more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--only", nargs="*", default=list(PICTURED), help="names of pages")
    parser.add_argument("--schemes", nargs="*", help="in these schemes instead, for looking at")
    options = parser.parse_args()
    for old in options.folder.glob("*/*.png"):
        if old.stem not in PICTURED:
            old.unlink()
    forms = PICTURED_AS
    if options.schemes:
        forms = {f"{form}-{s}": (w, s, most) for form, (w, _, most) in PICTURED_AS.items() for s in options.schemes}
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with served(seeded_context("sqlite://", int(time.time()) - 3)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for form, (width, scheme, tallest) in forms.items():
            folder = options.folder / form
            folder.mkdir(parents=True, exist_ok=True)
            for name in options.only:
                (folder / f"{name}.png").write_bytes(picture(browser, url + PICTURED[name], width, scheme, tallest))
        browser.close()


if __name__ == "__main__":
    main()
