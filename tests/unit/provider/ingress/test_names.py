"""Names, and what proves that a domain is a renter's."""

from __future__ import annotations

import pytest

from assay.provider.ingress.fronts import FRONTS, front_of
from assay.provider.ingress.names import LABEL_LENGTH, is_within, label, parse_name
from assay.provider.ingress.proofs import is_proven, proof_text

DOMAIN, RENTER, OWN = "llm.example.org", "0xAbCd", ["abc.gpu.test"]


@pytest.mark.parametrize("text", ["llm.example.org", " LLM.Example.ORG. ", "a.b", "xn--bcher-kva.example", "1.2.3.a"])
def test_name__of_a_host__is_lower_case_without_a_dot_at_its_end(text: str) -> None:
    assert parse_name(text) == text.strip().lower().removesuffix(".")


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "localhost", "a..b", "-a.b", "a-.b", "a_b.c", "*.example.org", "1.2.3.4", "a.1", "a b.c", "a.b:443",
        "bücher.example", "a.b/c", "{env.HOME}.org", "a." * 127 + "b", "a" * 64 + ".b", "a.b\n.c", "a.b..", "٣.example",
    ],
)  # fmt: skip
def test_name__off_the_form__is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a name"):
        parse_name(text)


def test_domain__and_what_is_under_it__is_told_from_what_only_ends_alike() -> None:
    assert is_within("gpu.test", "gpu.test") and is_within("a.gpu.test", "gpu.test")
    assert not is_within("agpu.test", "gpu.test") and not is_within("test", "gpu.test")


def test_label__of_random_bytes__is_a_label_and_takes_no_other_number_of_them() -> None:
    assert parse_name(f"{label(bytes(range(LABEL_LENGTH)))}.gpu.test")
    assert label(bytes(LABEL_LENGTH)) != label(bytes([1]) * LABEL_LENGTH)
    # Each letter is as likely as the next.
    assert {label(bytes([one]) * LABEL_LENGTH)[0] for one in range(32)} == set("abcdefghijkmnpqrstuvwxyz23456789")
    with pytest.raises(ValueError, match="expected 16 bytes"):
        label(b"few")


def test_front__of_any_number__is_an_address_of_the_range_and_neither_its_first_nor_last() -> None:
    for number in (0, 1, FRONTS.num_addresses - 3, FRONTS.num_addresses - 2, (1 << 32) - 1):
        found = front_of(number)
        assert FRONTS.network_address < type(FRONTS.network_address)(found) < FRONTS.broadcast_address
    assert front_of(0) != front_of(1)


@pytest.mark.parametrize(
    ("cname", "text", "proven"),
    [
        ([], [], False),
        (["abc.gpu.test"], [], True),
        (["ABC.gpu.test."], [], True),
        (["gpu.test"], [], False),
        (["other.gpu.test"], [], False),
        (["abc.gpu.test.evil.org"], [], False),
        ([], [proof_text(RENTER)], True),
        ([], ["v=spf1", "RENTER=0XABCD "], True),
        ([], [proof_text("0xAbCdEf")], False),
        ([], [f"{proof_text(RENTER)} and more"], False),
    ],
)
def test_domain__by_its_records__is_the_renters_or_not(cname: list[str], text: list[str], proven: bool) -> None:
    records = {(DOMAIN, "CNAME"): cname, (f"_assay.{DOMAIN}", "TXT"): text}
    assert is_proven(DOMAIN, RENTER, OWN, lambda name, kind: records[name, kind]) is proven
