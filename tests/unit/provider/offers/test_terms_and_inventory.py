"""Terms in a file, offers and quotes, and what NVML tells."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.protocol.hexadecimal import ZERO_ADDRESS
from assay.protocol.signing import sign_compact
from assay.protocol.specification import parse_specification
from assay.provider.devices import inventory
from assay.provider.devices.inventory import read_inventory
from assay.provider.doctor import host as doctor
from assay.provider.errors import ProviderError
from assay.provider.offers.offers import OfferMaker, Price, rate_of
from assay.provider.offers.terms import Discount, Node, ProviderTerms, TermsFile
from assay.wire.leases import parse_signed_offer
from tests.unit.provider.conftest import DEVICE_ID, ESCROW, OPERATOR, PROVIDER, key

DEVICE, OTHER = "0x" + "ab" * 32, "0x" + "cd" * 32
PRICE = Price("0x" + "33" * 20, rate=1000, min_duration=60, max_duration=3600)


def test_terms__written_and_read__are_the_same(tmp_path: Path) -> None:
    file = TermsFile(tmp_path)
    assert file.read() == ProviderTerms()
    node = Node((DEVICE, OTHER), replace(PRICE, notice=600))
    terms = ProviderTerms().with_price(DEVICE, PRICE).with_floors({DEVICE: 3}).with_node("rack", node)
    for kind, lease_id in (("notices", 7), ("notices", 7), ("releases", 5), ("ends", 9)):
        terms = terms.with_order(kind, lease_id)  # type: ignore[arg-type]
    terms = replace(terms, discounts=(Discount(600, 500),))
    file.write(terms)
    assert file.read() == terms
    assert (terms.notices, terms.releases, terms.ends) == ((7,), (5,), (9,))
    assert terms.without_node("rack").nodes == {}


def test_terms__of_a_hand__may_leave_things_out_but_not_misspell_them(tmp_path: Path) -> None:
    file = TermsFile(tmp_path)
    file.path.write_text('{"discounts": [{"seconds": 600, "bps": 500}]}')
    assert file.read() == ProviderTerms(discounts=(Discount(600, 500),))
    file.path.write_text('{"discount": []}')
    with pytest.raises(ProviderError, match="unknown: discount"):
        file.read()


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        ((), "0 devices"),
        ((DEVICE,) * 17, "17 devices"),
        ((OTHER, DEVICE), "must strictly ascend"),
        ((DEVICE, DEVICE), "must strictly ascend"),
    ],
)
def test_node__none_too_many_unsorted_or_repeated__is_refused(devices: tuple[str, ...], said: str) -> None:
    with pytest.raises(ProviderError, match=said):
        Node(devices, PRICE)


def test_node__taken_away_that_is_not_there__says_which_are() -> None:
    terms = ProviderTerms().with_node("rack", Node((DEVICE,), PRICE))
    with pytest.raises(ProviderError, match="no node 'shelf': there are rack"):
        terms.without_node("shelf")


@pytest.mark.parametrize("change", [
    {"rate": 0}, {"rate": 1 << 128}, {"min_duration": 0}, {"min_duration": 3601}, {"max_duration": 1 << 32},
    {"notice": 1}, {"notice": 59}, {"notice": -60}, {"notice": 1 << 32},
])  # fmt: skip
def test_price__off_the_escrows_bounds__is_refused(change: dict[str, int]) -> None:
    with pytest.raises(ProviderError):
        replace(PRICE, **change)


def test_token__of_a_price__is_the_given_one_else_the_devices_else_any() -> None:
    other = replace(PRICE, token="0x" + "44" * 20)
    terms = ProviderTerms().with_price("0xab", PRICE).with_price("0xcd", other)
    assert [terms.token_for("0xab", given) for given in ("0x55", None)] == ["0x55", PRICE.token]
    assert terms.token_for("0xef", None) == other.token
    with pytest.raises(ProviderError, match="--token or ASSAY_TOKEN"):
        ProviderTerms().token_for("0xab", None)


@pytest.mark.parametrize("content", ["", "[]", '{"prices": {"a": {"rate": 0}}}', "\x00"])
def test_terms__damaged_file__is_refused_and_kept(tmp_path: Path, content: str) -> None:
    file = TermsFile(tmp_path)
    file.path.write_text(content)
    with pytest.raises(ProviderError, match="damaged"):
        file.read()
    assert file.path.read_text() == content


@pytest.mark.parametrize(("seconds", "rate"), [(599, 1000), (600, 950), (6000, 800)])
def test_quote__by_length__takes_the_largest_fitting_discount(seconds: int, rate: int) -> None:
    terms = ProviderTerms(discounts=(Discount(600, 500), Discount(6000, 2000)))
    assert terms.quote(PRICE, seconds).rate == rate


def test_offer__signed_by_the_provider__is_the_same_for_a_while_and_valid_for_at_least_half() -> None:
    now = [10_000.0]
    book = OfferMaker(
        PROVIDER, ZERO_ADDRESS, ESCROW, lambda digest: sign_compact(digest, key("provider")), lambda: now[0]
    )
    first = book.offer((DEVICE_ID,), PRICE, 5)
    assert parse_signed_offer(first, ESCROW)[0].signer == PROVIDER
    for step in range(0, 2000, 50):
        now[0] = 10_000.0 + step
        remaining = book.offer((DEVICE_ID,), PRICE, 5)["validUntil"] - now[0]
        assert PRICE.valid_for / 2 <= remaining <= PRICE.valid_for


def test_offer__of_a_node_by_an_operator__names_both_and_is_signed_by_the_operator() -> None:
    made = OfferMaker(PROVIDER, OPERATOR, ESCROW, lambda digest: sign_compact(digest, key("operator")), lambda: 1.0)
    ids = tuple(sorted([DEVICE_ID, bytes([1]) * 32]))
    offer, signature = parse_signed_offer(made.offer(ids, replace(PRICE, notice=600), 5), ESCROW)
    assert (offer.provider, offer.operator, offer.device_ids, offer.notice) == (PROVIDER, OPERATOR, ids, 600)
    assert offer.recover_signer(ESCROW, signature) == OPERATOR


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_rate__of_no_price__is_refused(price: str) -> None:
    with pytest.raises(ProviderError):
        rate_of(Decimal(price), 6)


class FakeNvml:
    """Two cards; the second tells neither its temperature nor its processes."""

    class NVMLError(Exception):
        pass

    def __init__(self, driver: bool = True, cards: int = 2) -> None:
        self.driver, self.cards, self.shut = driver, cards, False

    def nvmlInit(self) -> None:
        if not self.driver:
            raise self.NVMLError("Driver Not Loaded")

    def nvmlShutdown(self) -> None:
        self.shut = True

    def nvmlDeviceGetCount(self) -> int:
        return self.cards

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, handle: int) -> bytes:
        return b"H100"

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{handle}"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return SimpleNamespace(total=80 << 30)

    def nvmlSystemGetDriverVersion(self) -> str:
        return "570.1"

    def nvmlSystemGetCudaDriverVersion(self) -> int:
        return 12_080

    def nvmlDeviceGetMaxPcieLinkGeneration(self, handle: int) -> int:
        return 5

    def nvmlDeviceGetMaxPcieLinkWidth(self, handle: int) -> int:
        return 16

    def nvmlDeviceGetNvLinkState(self, handle: int, link: int) -> int:
        raise self.NVMLError("Not Supported")

    def nvmlDeviceGetMigMode(self, handle: int) -> tuple[int, int]:
        return (0, 0)

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        if handle:
            raise self.NVMLError("Not Supported")
        return 41

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[int]:
        if handle:
            raise self.NVMLError("Not Supported")
        return [1, 2]


def test_inventory__cards__are_listed_with_what_they_tell() -> None:
    nvml = FakeNvml()
    first, second = read_inventory(nvml).accelerators
    assert (first.model, first.memory_mib, first.mig, first.temperature, first.processes) == (
        "H100",
        81920,
        False,
        41,
        2,
    )
    assert (second.uuid, second.mig, second.temperature, second.processes) == ("GPU-1", False, None, 0)
    assert nvml.shut


@pytest.mark.parametrize("nvml", [FakeNvml(driver=False), FakeNvml(cards=0)])
def test_inventory__no_driver_or_no_card__is_labelled_cpu_only(nvml: FakeNvml) -> None:
    found = read_inventory(nvml)
    assert not found.has_gpu and found.reason
    assert found.accelerators[0].kind == "cpu" and found.accelerators[0].model.startswith("CPU only")


def test_specification__of_a_card__does_not_change_with_the_moment() -> None:
    card = read_inventory(FakeNvml()).accelerators[0]
    assert replace(card, temperature=80, processes=0).specification() == card.specification()


class OddNvml(FakeNvml):
    """Eight cards: one is lost, one tells no memory, one none of its own, and the names of others are odd."""

    def __init__(self) -> None:
        super().__init__(cards=8)
        self.names: dict[int, str | bytes] = {
            3: b"H100 \xff\xfe",
            4: "H100\nGPU 9: fine\x1b[2J",
            5: "H" * 300,
            6: "H100 \U0001f680",
        }

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        if index == 1:
            raise self.NVMLError("GPU is lost")
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        if handle == 2:
            raise self.NVMLError("Not Supported")
        return super().nvmlDeviceGetMemoryInfo(handle)

    def nvmlDeviceGetName(self, handle: int) -> Any:
        if handle == 7:
            b"\xff".decode()
        return self.names.get(handle, b"H100")

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return "" if handle == 0 else f"GPU-{handle}"


def test_inventory__odd_cards_among_eight__names_each_with_its_fault_and_lists_the_others() -> None:
    found = read_inventory(OddNvml())
    assert [str(bad) for bad in found.faults] == [
        "GPU 0: it reports no uuid, so it cannot be told apart from others",
        "GPU 1: GPU is lost",
        "GPU 2: it does not report its memory: Not Supported",
    ]
    assert {one.index: one.model for one in found.accelerators} == {
        3: "H100 \ufffd\ufffd",
        4: "H100 GPU 9: fine[2J",
        5: "H" * 80,
        6: "H100 \U0001f680",
        7: "\ufffd",
    }
    for one in found.accelerators:
        assert parse_specification(one.specification()).model == one.model


def test_inventory__no_card_that_works__says_why_and_lists_the_processor() -> None:
    nvml = OddNvml()
    nvml.cards = 3
    found = read_inventory(nvml)
    assert [one.kind for one in found.accelerators] == ["cpu"]
    assert found.reason is not None and "GPU 1: GPU is lost" in found.reason


def test_accelerator__that_is_lost__is_refused_with_its_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "read_inventory", lambda: read_inventory(OddNvml()))
    assert inventory.accelerator_named("3").uuid == "GPU-3"
    with pytest.raises(ProviderError, match="GPU is lost"):
        inventory.accelerator_named("1")


async def test_doctor__a_lost_card__fails_with_its_fault_and_names_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "read_inventory", lambda: read_inventory(OddNvml()))
    with pytest.raises(ProviderError, match=r"GPU 1: GPU is lost.*can be used: H100 .*81920 MiB"):
        await doctor.devices()


def test_inventory__count_refused_or_shutdown_broken__does_not_fail() -> None:
    nvml = FakeNvml()

    def refuse(*_: Any) -> int:
        raise nvml.NVMLError("Unknown Error")

    nvml.nvmlShutdown = refuse  # type: ignore[assignment]
    nvml.nvmlSystemGetDriverVersion = refuse  # type: ignore[assignment]
    assert {one.driver for one in read_inventory(nvml).accelerators} == {"unknown"}
    nvml.nvmlDeviceGetCount = refuse  # type: ignore[method-assign]
    assert not read_inventory(nvml).has_gpu
