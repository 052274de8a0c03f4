"""Which engine a worker takes on its card, and what it says of that."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from assay.proof import warm_up
from assay.proof.engines import NAMES, registry
from assay.proof.engines.registry import AUTO, GPU_NAMES
from assay.proof.errors import EngineUnavailable, ProofError
from assay.protocol.profile import NAMED
from assay.provider.cards import worker_process
from assay.provider.cards.faults import CardFaultKind
from assay.provider.cards.readings import CardReading, memory_fault, min_memory
from assay.provider.cards.worker_process import WorkerOrder, choose_engine
from assay.provider.errors import BadProviderSetting
from assay.provider.measurement.trap_engines import ENGINES_HELP, proves_on_card

CARD = "GPU-1"
DATACENTER = NAMED["datacenter"]


def order(engine: str, card: str = CARD) -> WorkerOrder:
    return WorkerOrder(card, engine, 31337, 2, "")


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the engines of a made-up card do at their check: a rate in TOPS, or the reason why not."""
    rates: dict[str, Any] = {"cublas": 900.0, "mma": 950.0, "bf16": 400.0, "simt": 9.0}

    def made(name: str) -> Any:
        def check() -> None:
            if isinstance(rates[name], ProofError):
                raise rates[name]

        return SimpleNamespace(name=name, check=check, pace=lambda: rates[name], device="Test Card")

    monkeypatch.setattr(registry, "_has_driver", lambda: True)
    monkeypatch.setattr(registry, "_gpu", made)
    return rates


def test_auto__on_a_card__takes_the_fastest_and_says_what_the_others_did(engines: dict[str, Any]) -> None:
    make, name, why = choose_engine(order(AUTO))
    assert (name, make().name) == ("mma", "mma")
    assert why == "using mma, the fastest on Test Card (TOPS: cublas 900, mma 950, bf16 400, simt 9)"
    engines["mma"] = EngineUnavailable("mma computes wrongly")
    make, name, why = choose_engine(order(AUTO))
    assert (name, make().name) == ("cublas", "cublas")
    assert why.startswith("not using mma: mma computes wrongly; using cublas, the fastest on Test Card")


@pytest.mark.parametrize("driver", [True, False])
def test_auto__where_no_engine_works_on_the_card__is_never_the_processor(
    engines: dict[str, Any], monkeypatch: pytest.MonkeyPatch, driver: bool
) -> None:
    monkeypatch.setattr(registry, "_has_driver", lambda: driver)
    engines |= dict.fromkeys(engines, EngineUnavailable("no kernel runs"))
    with pytest.raises(EngineUnavailable, match="not using simt: no kernel runs" if driver else "libcuda"):
        choose_engine(order(AUTO))
    make, name, why = choose_engine(order(AUTO, card=""))
    assert (name, why) == ("cpu", "the device was enrolled as a processor") and make().name == "cpu"


@pytest.mark.parametrize("name", GPU_NAMES)
def test_engine__named__is_checked_and_no_other_is_taken(engines: dict[str, Any], name: str) -> None:
    assert choose_engine(order(name))[1:] == (name, f"--engine {name}")
    engines[name] = EngineUnavailable("no kernel runs")
    with pytest.raises(EngineUnavailable, match="no kernel runs"):
        choose_engine(order(name))
    with pytest.raises(BadProviderSetting, match=r"one of auto, .*cublas"):
        choose_engine(order(name + "x"))


@pytest.mark.parametrize(("name", "card", "warmed"), [("mma", CARD, ["mma"]), ("cpu", "", [None])])
def test_worker__before_it_says_that_it_is_ready__has_compiled_every_kernel(
    engines: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str, card: str, warmed: list[str | None]
) -> None:
    """None is compiled within a deadline."""
    done: list[str | None] = []
    monkeypatch.setattr(warm_up, "warm_up", lambda engine=None: done.append(engine and engine.name))
    _, hello = worker_process._begin(order(AUTO, card))
    assert (hello.engine, done) == (name, warmed)
    done.clear()
    worker_process._begin(replace(order(AUTO, card), opens_only=True))
    assert done == []  # nothing of ours goes to a renter's card


def test_proves_on_card__of_every_engine__is_so_for_those_of_gpus() -> None:
    assert {name for name in NAMES if proves_on_card(name)} == {AUTO, *GPU_NAMES}
    assert not proves_on_card("skipped-rows:0.3")
    assert all(name in ENGINES_HELP for name in NAMES) and "skipped-rows:FRACTION" in ENGINES_HELP


def test_memory__that_a_class_takes__is_that_of_the_engine() -> None:
    of = {name: min_memory(DATACENTER, name) for name in GPU_NAMES}
    assert of["simt"] == of["mma"] < of["cublas"] < of["bf16"]
    assert min_memory(DATACENTER) == min_memory(DATACENTER, AUTO) == of["mma"]
    card = CardReading(
        uuid=CARD, index=0, minor=0, bus="", memory_total=of["bf16"] - 1, memory_used=0, temperature=None,
        max_temperature=None, ecc_errors=None, capability=None, driver=None, processes=(),
    )  # fmt: skip
    assert memory_fault(card, DATACENTER, frozenset(), "cublas") is None
    assert memory_fault(card, DATACENTER, frozenset()) is None
    fault = memory_fault(card, DATACENTER, frozenset(), "bf16")
    assert fault is not None and fault.kind is CardFaultKind.WRONG_CLASS and "self-test" in fault.kind.advice
