"""What an account can claim: by the newest tree whose delay is over, proven, and nothing that a validator invents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from assay.network.origins import Endpoint
from assay.protocol.keccak import keccak
from assay.protocol.leaves import RewardLeaf, reward_tree
from assay.protocol.signing import address_of
from assay.protocol.standard_merkle import StandardMerkleTree
from assay.renter.errors import BadInput, ProviderRefused, Unreachable
from assay.renter.market.validators import Validators
from assay.renter.money.rewards import RewardFinder

ACCOUNT, OTHER = address_of(keccak(b"account")), address_of(keccak(b"other"))
DELAY, RING = 100, 6
NOW = 10_000


class FakeChain:
    """A chain of answers; reports by epoch as (root, reportedAt, vetoed)."""

    deployment = SimpleNamespace(block=0)

    def __init__(self, reports: Mapping[int, tuple[bytes, int, bool]], claimed: int = 0, current: int = 9) -> None:
        self.reports = reports
        self.answers = {"claimed": claimed, "currentEpoch": current, "ringSize": RING}
        self.delays: dict[int, int] = {}  # of reports that have another than the others
        self.asked: list[int] = []

    async def head(self) -> Any:
        return SimpleNamespace(number=5, timestamp=NOW)

    async def finalised(self) -> Any:
        return SimpleNamespace(number=4, timestamp=NOW - 1)

    async def call(self, contract: str, function: str, *arguments: Any, at: Any = None) -> Any:
        if function == "claimableAt":
            return self.reports[arguments[0]][1] + self.delays.get(arguments[0], DELAY)
        if function != "rewardsOf":
            return self.answers[function]
        self.asked.append(arguments[0])
        root, reported_at, vetoed = self.reports.get(arguments[0], (bytes(32), 0, False))
        return root, 0, reported_at, vetoed


class FakeValidators:
    """Serves entries by path, as any validator would."""

    def __init__(self, entries: Mapping[int, Any]) -> None:
        self.entries = {f"/v1/epochs/{epoch}/rewards/{ACCOUNT}": entry for epoch, entry in entries.items()}

    async def first(self, path: str, accept: Any, at: Any) -> Any:
        if path not in self.entries:
            raise Unreachable("no validator serves the report")
        return accept(self.entries[path], "http://seat" + path)


def tree(cumulative: int) -> StandardMerkleTree:
    return reward_tree([RewardLeaf(ACCOUNT, cumulative), RewardLeaf(OTHER, 5)])


def entry(cumulative: int, account: str = ACCOUNT, place: int = 0) -> dict[str, Any]:
    return {
        "leaf": {"account": account, "cumulative": str(cumulative)},
        "proof": ["0x" + node.hex() for node in tree(cumulative if account == ACCOUNT else 30).proof(place)],
    }


def finder(
    totals: Mapping[int, tuple[int, int]],
    vetoed: Sequence[int] = (),
    served: Mapping[int, Any] | None = None,
    **more: int,
) -> RewardFinder:
    """`totals` by epoch: what the account's line says, and the seconds since the report."""
    reports = {epoch: (tree(sum_).root, NOW - ago, epoch in vetoed) for epoch, (sum_, ago) in totals.items()}
    entries = {epoch: entry(sum_) for epoch, (sum_, _) in totals.items()} if served is None else served
    return RewardFinder(FakeChain(reports, **more), FakeValidators(entries))  # type: ignore[arg-type]


async def test_find__reports_of_all_ages__claims_by_the_newest_whose_delay_is_over() -> None:
    found = await finder({9: (70, 10), 8: (50, 99), 7: (30, 100), 6: (20, 200)}, claimed=12).find(ACCOUNT)
    assert found.claimable is not None
    assert (found.claimable[0], found.due, found.waiting, found.earned) == (7, 18, 40, 70)
    assert found.from_ == NOW - 10 + DELAY
    call = found.claim(OTHER)
    assert (str(call), call.args) == ("RewardsDistributor.claim", (7, 30, list(tree(30).proof(0)), OTHER))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"vetoed": [9]}, (8, 50)),
        ({"vetoed": [9, 8]}, (None, 0)),
        ({"served": {8: entry(50)}}, (8, 50)),
        ({"served": {}}, (None, 0)),
        # A validator that invents a total, and one that answers with somebody else's line.
        ({"served": {9: entry(71), 8: entry(50)}}, (8, 50)),
        ({"served": {9: entry(5, OTHER, 1), 8: entry(50)}}, (8, 50)),
        ({"served": {9: {"leaf": {}}, 8: {"leaf": {"account": ACCOUNT, "cumulative": "x"}, "proof": []}}}, (None, 0)),
        ({"claimed": 70}, (9, 0)),
        # What the ring has lost is not asked for.
        ({"current": 40}, (None, 0)),
    ],
)
async def test_find__trees_that_do_not_count__are_passed_over(
    changes: dict[str, Any], expected: tuple[Any, int]
) -> None:
    found = await finder({9: (70, 500), 8: (50, 600)}, **changes).find(ACCOUNT)
    assert (found.claimable[0] if found.claimable else None, found.due) == expected


async def test_claim__nothing_due__says_where_to_look() -> None:
    found = await finder({9: (70, 500)}, claimed=70).find(ACCOUNT)
    with pytest.raises(BadInput, match="nothing is due"):
        found.claim(ACCOUNT)


async def test_find__newest_claimable__looks_no_further_than_it_must() -> None:
    reports = {epoch: (tree(epoch).root, NOW - 500, False) for epoch in range(10)}
    chain = FakeChain(reports)
    await RewardFinder(chain, FakeValidators({9: entry(9)})).find(ACCOUNT)  # type: ignore[arg-type]
    assert sorted(chain.asked) == [4, 5, 6, 7, 8, 9]


async def test_find__of_a_long_ring__reads_only_its_newest_part() -> None:
    reports = {epoch: (tree(epoch).root, NOW - 500, False) for epoch in range(100)}
    chain = FakeChain(reports, current=99)
    chain.answers["ringSize"] = 60
    await RewardFinder(chain, FakeValidators({97: entry(97)})).find(ACCOUNT)  # type: ignore[arg-type]
    assert sorted(chain.asked) == list(range(84, 100))


class Seats:
    """Three seats: one without an address, one that refuses, one that answers."""

    async def current(self, at: Any) -> list[Any]:
        endpoints = ("", "https://refuses/", "https://answers/")
        return [SimpleNamespace(endpoint=one, tls_fingerprint=bytes([1]) * 32) for one in endpoints]


class Http:
    def __init__(self, answers: bool = True) -> None:
        self.asked: list[Endpoint] = []
        self.answers = answers

    async def json_of(self, method: str, endpoint: Endpoint, path: str, **options: Any) -> dict[str, Any]:
        self.asked.append(endpoint)
        if "refuses" in endpoint.url or not self.answers:
            raise ProviderRefused(404, "unknown")
        return {"path": path}


async def test_validators__one_refuses__the_next_is_asked_over_its_own_certificate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("assay.renter.market.validators.SeatDirectory", lambda chain: Seats())
    http = Http()
    at: Any = None
    answer = await Validators(None, http).first("/v1/x", lambda value, url: (value, url), at)  # type: ignore[arg-type]
    assert answer == ({"path": "/v1/x"}, "https://answers/v1/x")
    assert http.asked == [Endpoint(f"https://{one}/", bytes([1]) * 32) for one in ("refuses", "answers")]
    with pytest.raises(Unreachable, match="no validator serves the report"):
        await Validators(None, Http(False)).first("/v1/x", lambda value, url: value, at)  # type: ignore[arg-type]


async def test_find__report_of_a_time_without_a_guardian__waits_for_its_own_longer_delay() -> None:
    reports = {epoch: (tree(50 + epoch).root, NOW - 2 * DELAY, False) for epoch in (8, 9)}
    chain = FakeChain(reports)
    chain.delays[9] = 3 * DELAY
    served = {epoch: entry(50 + epoch) for epoch in (8, 9)}
    found = await RewardFinder(chain, FakeValidators(served)).find(ACCOUNT)  # type: ignore[arg-type]
    assert found.claimable is not None and found.claimable[0] == 8
    assert (found.waiting, found.from_) == (1, NOW + DELAY)
