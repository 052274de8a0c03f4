"""What a provider earns, how much of it is leased, and its price beside that of others."""

from __future__ import annotations

import pytest

from assay.market.events.lease_events import LeaseStarted
from assay.market.follow.index import MarketIndex
from assay.market.projection.lease_money import EscrowTerms
from assay.market.queries.providers import market_rates, rent_of, utilisation_of
from assay.market.store.rows import Change
from assay.market.store.tables import listings
from assay.protocol.rates import RATE_UNIT
from tests.unit.market.scenario import DEVICES, PROVIDERS, TOKEN, batch, founding, h, opened, timestamp

RATE = 7 * RATE_UNIT
TERMS = EscrowTerms(holdback=100, max_downtime=60, forfeit_hold=600)


@pytest.fixture
def market(index: MarketIndex) -> MarketIndex:
    """A provider's two leases, one over and one running, and one of another provider."""
    starts = [(lease, LeaseStarted(lease, h("roots"), timestamp(10), timestamp(10) + length, 60)) for lease, length in
              ((1, 300), (2, 3_600), (3, 3_600))]  # fmt: skip
    leases = [(9, opened(1, 0, rate=RATE)), (9, opened(2, 2, rate=RATE)), (9, opened(3, 1, rate=RATE))]
    index.apply(batch([*founding(), *leases, *((10, start) for _, start in starts)], 11, seats=True))
    return index


def test_rent__of_a_provider__adds_up_its_own_leases_to_the_second(market: MarketIndex) -> None:
    now = timestamp(10) + 400
    with market.engine.connect() as connection:
        (rent,) = rent_of(connection, PROVIDERS[0], TERMS, now)
        other = rent_of(connection, PROVIDERS[1], TERMS, now)
        assert rent_of(connection, "0x" + "99" * 20, TERMS, now) == []
    assert (rent.token, rent.leases, rent.running) == (TOKEN, 2, 1)
    assert rent.streamed == 7 * 300 + 7 * 400
    assert rent.claimable == 7 * 300 + 7 * 300  # what is older than the holdback
    assert (rent.claimed, rent.fees, other[0].streamed) == (0, 0, 7 * 400)


def test_utilisation__of_measurements__is_the_leased_part_of_what_passed_or_was_leased(market: MarketIndex) -> None:
    flags = {(1, 0): 1, (1, 2): 2, (2, 0): 1, (2, 2): 8, (2, 1): 2}  # passed, leased, passed, failed; another's
    market.apply_changes(
        [Change("measurements", (epoch, DEVICES[n]), {"flags": flag}) for (epoch, n), flag in flags.items()]
    )
    with market.engine.connect() as connection:
        assert utilisation_of(connection, PROVIDERS[0]) == 3_333
        assert utilisation_of(connection, PROVIDERS[1]) == 10_000
        assert utilisation_of(connection, "0x" + "99" * 20) is None


def test_market_rates__of_others__are_the_median_of_what_is_alike(index: MarketIndex) -> None:
    def listed(name: str, provider: str, rate: int | None, model: str = "H100") -> dict[str, object]:
        row = {"model": model, "gpus": 1, "token": TOKEN, "provider": provider, "rate": rate, "state": "available"}
        return {"listing_id": h(name), "device_ids": (h(name),), **row}

    mine, other = PROVIDERS
    rows = [
        listed("mine", mine, 5), listed("mine without a price", mine, None), listed("mine alone", mine, 5, "B200"),
        *(listed(f"other {rate}", other, rate) for rate in (2, 3, 9, 100)), listed("another", other, 1, "A100"),
    ]  # fmt: skip
    with index.engine.begin() as connection:
        connection.execute(listings.insert(), rows)
    with index.engine.connect() as connection:
        own = connection.execute(listings.select().where(listings.c.provider == mine)).mappings().all()
        assert market_rates(connection, own) == {h("mine"): 3}
