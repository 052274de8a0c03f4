"""Settings files as editors write them: with a byte order mark, in UTF-16, with CRLF."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.economics.parameters import BadParameters, load
from assay.renter.settings import RenterSettings
from assay.settings.text_files import text_of

TOML = '# café\r\nrpc = ["http://127.0.0.1:1"]\r\n'
FORMS = {
    "utf-8": TOML.encode(),
    "utf-8 with a mark": b"\xef\xbb\xbf" + TOML.encode(),
    "utf-16 little": b"\xff\xfe" + TOML.encode("utf-16-le"),
    "utf-16 big": b"\xfe\xff" + TOML.encode("utf-16-be"),
}
PARAMETERS = Path(__file__).parents[3] / "deployments"


@pytest.mark.parametrize("form", FORMS)
def test_settings_file__in_any_form_of_text__says_the_same(tmp_path: Path, form: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(FORMS[form])
    assert RenterSettings.in_file(file, {}) == {"rpc": ["http://127.0.0.1:1"]}


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"caf\xe9 = 1", b"\x00\xd8\x00\xd8", b"\xff\xfe\x00\xd8"])
def test_settings_file__no_text__is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(content)
    with pytest.raises(RenterSettings.fault, match=r"settings\.toml"):
        RenterSettings.in_file(file, {})


@pytest.mark.parametrize("coding", ["utf-8-sig", "utf-16"])
def test_parameters__in_any_form_of_text__are_the_same_economy(tmp_path: Path, coding: str) -> None:
    source = next(iter(sorted(PARAMETERS.glob("*.yml"))))
    copy = tmp_path / source.name
    copy.write_bytes(source.read_text().encode(coding))
    assert load(copy) == load(source)
    copy.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(BadParameters):
        load(copy)


def test_text_of__its_own_mark__is_not_part_of_it() -> None:
    assert [text_of(form) for form in FORMS.values()] == [TOML] * 4
