"""Whatever happens in whatever order, the books agree with a model in Python, driven through Ape by Hypothesis."""

import copy
import os
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from support.lettings import SCALE
from support.market_machine import MarketMachine
from support.market_model import Forfeit
from support.quick_ape import blocks_remembered


@pytest.fixture
def market(network):
    """The network with three devices of one provider to let in any company."""
    own = copy.copy(network)
    own.devices = [*network.devices[:2], network.enrol(network.devices[0].provider, "device 3")]
    return own


@contextmanager
def counted_time(network):
    """One second a block, whatever the machine's own clock does: every example can be played again."""
    network.chain.provider.make_request("anvil_setBlockTimestampInterval", [1])
    try:
        with blocks_remembered(network.chain.provider):
            yield type("Market", (MarketMachine,), {"network": network})
    finally:
        network.chain.provider.make_request("anvil_removeBlockTimestampInterval", [])


def drive(network, examples, steps, derandomize, phases):
    chosen = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None, derandomize=derandomize,
        suppress_health_check=list(HealthCheck), print_blob=True, phases=phases, report_multiple_bugs=False,
    )  # fmt: skip
    with counted_time(network) as machine:
        run_state_machine_as_test(machine, settings=chosen)


def terms(*node, minimum, notice=0, by_operator=False):
    return {
        "node": node,
        "rate": 10 * SCALE,
        "maximum": 40_000,
        "minimum": minimum,
        "notice": notice,
        "more": 10**9,
        "by_operator": by_operator,
    }


# After the node of lease 0 was let. Numbers are of the leases that a step could be about, from 0.
STORY = [
    ("let", terms(1, 2, minimum=3_600), "provider"),  # 1: waits, for one of its devices is leased
    ("let", terms(2, minimum=7_200, by_operator=True), "operator"),  # 2: from the provider's credit
    ("report", 0, 3_590, 7, False),
    ("report", 5_000, 3_590, 0, False),
    ("report", 0, 5_000, 0, False),
    ("submit_all", 0, [2, 1, 1]),  # the younger first; the second time it is refused
    ("end", 0, "operator"),  # would forfeit
    ("submit_all", 0, [3]),  # now it has been away for longer than a renter must bear
    ("end", 0, "renter"),  # for nothing
    ("end", 0, "operator"),  # 2, its minimum served
    ("let", terms(0, minimum=30_000, notice=60), "provider"),  # 3
    ("let_go", 0, "operator"),  # notice is given
    ("slash",),  # of the device of 3
    ("end", 0, "renter"),
    ("let", terms(0, minimum=60), "provider"),  # refused: slashed
    ("let", terms(1, minimum=20_000), "provider"),  # 4
    ("end", 0, "renter"),  # before the minimum: pays on
    ("end", 0, "renter"),  # refused
    ("end", 0, "operator"),  # refused
    ("wait", 600),
    ("decide", 0, "provider"),  # 1 starts, and 4 makes way
    ("move_money", 10**9, "drain"),
    ("let", terms(2, minimum=60), "operator"),  # 5: its device is taken
    ("end", 0, "provider"),  # 1, before its minimum: its renter gets a part of the bond
    ("decide", 0, "operator"),  # 5: too little credit
    ("move_money", 10**6, "fill"),
    ("decide", 0, "operator"),
    ("pay_all", ["claim", "refund", "return_bond", "settle_forfeit"]),  # most of it held yet
    ("wait", 13_000),
    ("pay_all", ["claim", "refund", "return_bond"]),
    ("forgive_forfeit", 3),
    ("wait", 7_300),
    ("pay_all", ["settle_forfeit", "return_bond"]),
]


class Told(MarketMachine):
    """The machine with a few steps at once."""

    def submit_all(self, index, epochs):
        for number in epochs:
            self.submit(self.leases[index], self.epochs[number], 0, by_agent=number == 2)

    def pay_all(self, ways):
        for lease in self.leases:
            for way in ways:
                getattr(self, way)(lease)

    def check(self):
        self.escrow_is_solvent_and_owes_the_sum_of_its_parts()
        self.leases_are_what_the_model_says()
        self.devices_of_a_node_are_all_leased_or_all_free()
        self.reports_never_go_back()


def test_market__a_long_story__each_way_of_a_lease_and_the_books_agree(market):
    with counted_time(market):
        told = type("ToldMarket", (Told,), {"network": market})()
        told.begin([terms(0, 1, minimum=20_000, notice=3_600)], "provider", False)
        for step, *arguments in STORY:
            getattr(told, step)(*arguments)
            told.check()
        node, shared, credited, slashed, left, last = told.leases
        assert node.dark and list(node.down) != sorted(node.down) and node.settled > 0
        assert credited.start and slashed.slash_part > 0 and slashed.forfeit is Forfeit.PAID_BACK
        assert left.left_early and left.stop == shared.start
        assert shared.provider_left and shared.renters_part > 0
        assert last.start
        told.everyone_leaves()


def test_market__anything_in_any_order__books_agree_with_the_model(market):
    drive(market, examples=3, steps=12, derandomize=True, phases=[Phase.generate])


@pytest.mark.deep
def test_market__thousands_of_steps__books_agree_with_the_model(market):
    drive(
        market,
        int(os.environ.get("ASSAY_MACHINE_EXAMPLES", "150")),
        steps=50,
        derandomize=False,
        phases=[Phase.generate, Phase.shrink],
    )
