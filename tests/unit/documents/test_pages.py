"""Pages written from code are as the code is; links lead somewhere; what a page has typed does what the page says."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from eth_account.messages import encode_typed_data
from eth_utils import keccak

from assay.protocol.hexadecimal import parse_fixed, to_hex
from assay.protocol.messages import ALL
from assay.protocol.signing import address_of, recover
from assay.protocol.typed_message import parse_type
from scripts._docs.generate import PAGES
from scripts._docs.messages import SIGNERS, domain_of, key

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = ROOT / "docs" / "reference"
FENCES = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)


@cache
def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    return listed.stdout.decode().splitlines()


def anchors_of(page: Path) -> set[str]:
    """As GitHub makes them, and the site's slugs."""
    titles = re.findall(r"^#+ +(.+?) *$", FENCES.sub("", page.read_text()), re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).lower() for title in titles)
    return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", [name for name in tracked() if name.endswith(".md")])
def test_links__of_a_page__lead_to_files_and_headings_that_there_are(page: str) -> None:
    path = ROOT / page
    text = re.sub(r"`[^`\n]*`", "", FENCES.sub("", path.read_text()))
    for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{page} links to {link}"
        if anchor:
            assert anchor in anchors_of(target), f"{page} links to {link}"


def test_pages__named_anywhere__exist() -> None:
    for name in tracked():
        if not name.endswith((".py", ".md", ".yml", ".mk", ".toml", ".sol", ".service", ".html", "Makefile")):
            continue
        text = (ROOT / name).read_text() if (ROOT / name).exists() else ""
        for named in re.findall(r"(?<![\w./])docs/[\w/-]+\.md\b", text):
            assert (ROOT / named).exists(), f"{name} names {named}"


@pytest.mark.parametrize("name", PAGES)
def test_reference__page_written_from_code__is_as_the_code_is(name: str) -> None:
    assert (REFERENCE / name).read_text() == PAGES[name](), "stale: run `make reference`"


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_messages__example_on_the_page__digest_of_eth_account_and_signature_of_who_signs(kind: type) -> None:
    name, _ = parse_type(kind.TYPE)  # type: ignore[attr-defined]
    section = (REFERENCE / "messages.md").read_text().split(f"\n## {name}\n", 1)[1].split("\n## ")[0]
    values = json.loads(re.findall(r"```json\n(.*?)```", section, re.DOTALL)[0])
    said = dict(re.findall(r"^\| ([\w ]+?)(?: \(r, vs\))? \| `(0x[0-9a-f]+)` \|$", section, re.MULTILINE))
    message, domain = kind.from_json(values), domain_of(kind.CONTRACT)  # type: ignore[attr-defined]
    signable = encode_typed_data(full_message=message.typed_data(domain))
    assert to_hex(signable.body) == said["hashStruct"]
    digest = keccak(b"\x19" + signable.version + signable.header + signable.body)
    assert to_hex(digest) == said["digest"]
    assert recover(digest, parse_fixed(said["signature"], 64)) == address_of(key(SIGNERS[name]))


@pytest.mark.slow
def test_one_epoch__typed_into_a_prompt__answers_what_the_page_shows() -> None:
    text = (ROOT / "docs" / "tutorials" / "one-epoch.md").read_text()
    typed = "\n\n".join(re.findall(r"^```pycon\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    test = doctest.DocTestParser().get_doctest(typed, {}, "one-epoch.md", None, 0)
    assert len(test.examples) > 50
    shown: list[str] = []
    failed = doctest.DocTestRunner(verbose=False).run(test, out=shown.append).failed
    assert not failed, "".join(shown)
