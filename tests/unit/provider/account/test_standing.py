"""Which of its devices a provider means, and what it earned, for people."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from assay.protocol.hexadecimal import HexadecimalError
from assay.provider.account import standing
from assay.provider.account.standing import device_named, in_tokens
from assay.provider.errors import ProviderError

ONE, TWO, PROVIDER = "0xab12cd" + "01" * 29, "0xab12ce" + "02" * 29, "0x" + "33" * 20
ROWS = [{"deviceId": ONE}, {"deviceId": TWO}]


@pytest.mark.parametrize("text", [ONE, ONE[:8], "0xAB12CD", ONE.upper().replace("X", "x")])
def test_device__its_id_or_enough_of_it__is_found(text: str) -> None:
    assert device_named(text, ROWS, PROVIDER) == bytes.fromhex(ONE[2:])


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("0xab12", HexadecimalError, "at least the first 6"),
        ("ab12cd01", HexadecimalError, "expected 0x"),
        ("0xffffff", ProviderError, f"{PROVIDER} has no device 0xffffff"),
        ("0x" + "11" * 32, ProviderError, "has no device"),
    ],
)
def test_device__none_or_no_id__is_refused(text: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        device_named(text, ROWS, PROVIDER)


def test_device__beginning_of_several__asks_for_more() -> None:
    with pytest.raises(ProviderError, match="2 devices begin with"):
        device_named("0xab12cd", [*ROWS, {"deviceId": "0xab12cd" + "03" * 29}], PROVIDER)


async def test_earnings__for_people__are_whole_tokens_by_their_symbol(monkeypatch: pytest.MonkeyPatch) -> None:
    class Token:
        def __init__(self, chain: Any, address: str) -> None:
            self.address = address

        async def decimals(self) -> int:
            return 18 if self.address == "0xnet" else 6

        async def symbol(self) -> str:
            return "NET" if self.address == "0xnet" else "USD"

    monkeypatch.setattr(standing, "Erc20", Token)
    chain = SimpleNamespace(deployment=SimpleNamespace(address=lambda name: "0xnet"))
    earned = {
        "provider": PROVIDER,
        "payout": "0xpayout",
        "rent": {"0xusd": {"streamed": "1440255", "claimed": "0"}, "0xfake": {"streamed": "1"}},
        "bondCredit": {"0xusd": {"amount": "5000000", "perDay": "2000000", "leftToday": "1500000"}},
        "stake": {"active": str(10**21)},
    }
    assert await in_tokens(chain, earned) == {  # type: ignore[arg-type]
        "provider": PROVIDER,
        "paid out to": "0xpayout",
        "rent, USD": "streamed 1.440255, claimed 0",
        "rent, USD 0xfake": "streamed 0.000001",
        "bond credit, USD": "amount 5, perDay 2, leftToday 1.5",
        "stake, NET": "active 1000",
    }


class Chain:
    """Events of two providers, and what stands in the contracts."""

    def __init__(self) -> None:
        self.deployment = SimpleNamespace(block=1)

    async def finalised(self) -> Any:
        return SimpleNamespace(timestamp=1_000)

    async def call(self, contract: str, function: str, *args: Any, at: Any = None) -> Any:
        if function == "operatorOf":
            scopes, until = {"0xa": (31, 1 << 39), "0xb": (3, 900), "0xc": (0, 0)}[args[1]]
            return SimpleNamespace(scopes=scopes, until=until)
        assert function == "bondCredit"
        amounts = {"0xusd": (5, 4, 3), "0xeur": (0, 0, 0)}[args[1]]
        return SimpleNamespace(**dict(zip(("amount", "perDay", "leftToday"), amounts, strict=True)))


def events(monkeypatch: pytest.MonkeyPatch, *found: dict[str, str]) -> None:
    async def read_events(*_: Any, where: dict[str, list[str]]) -> list[Any]:
        (provider,) = where["provider"]
        return [SimpleNamespace(args=one) for one in found if one["provider"].lower() == provider.lower()]

    monkeypatch.setattr(standing, "read_events", read_events)


async def test_operators__appointed_over_or_revoked__each_once_as_they_stand_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chain: Any = Chain()
    appointed = [{"provider": PROVIDER.upper(), "operator": one} for one in ("0xa", "0xb", "0xa", "0xc")]
    events(monkeypatch, *appointed, {"provider": "0xother", "operator": "0xd"})
    found = await standing.operators_of(chain, PROVIDER)
    assert [(one["operator"], one["scopes"], one["valid"]) for one in found] == [
        ("0xa", "offer,start,end,claim,endpoint", True),
        ("0xb", "offer,start", False),
        ("0xc", "none", False),
    ]


async def test_credit__of_tokens_asked_for_and_ever_used__each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chain: Any = Chain()
    events(monkeypatch, {"provider": PROVIDER, "token": "0xusd"}, {"provider": "0xother", "token": "0xyen"})
    assert await standing.credit_of(chain, PROVIDER, ["0xeur", "0xusd"]) == [
        {"token": "0xeur", "amount": "0", "perDay": "0", "leftToday": "0"},
        {"token": "0xusd", "amount": "5", "perDay": "4", "leftToday": "3"},
    ]
