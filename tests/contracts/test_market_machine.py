"""Whatever happens in whatever order, the books agree with a model in Python, driven through Ape by Hypothesis."""

import copy
import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from support.market_machine import MarketMachine


@pytest.fixture
def market(network):
    """The network with three devices of one provider to let in any company."""
    own = copy.copy(network)
    own.devices = [*network.devices[:2], network.enrol(network.devices[0].provider, "device 3")]
    return own


def drive(network, examples, steps, derandomize, phases):
    machine = type("Market", (MarketMachine,), {"network": network})
    # One second a block, whatever the machine's own clock does: every example can be played again.
    network.chain.provider.make_request("anvil_setBlockTimestampInterval", [1])
    chosen = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None, derandomize=derandomize,
        suppress_health_check=list(HealthCheck), print_blob=True, phases=phases, report_multiple_bugs=False,
    )  # fmt: skip
    try:
        run_state_machine_as_test(machine, settings=chosen)
    finally:
        network.chain.provider.make_request("anvil_removeBlockTimestampInterval", [])


def test_market__anything_in_any_order__books_agree_with_the_model(market):
    drive(market, examples=4, steps=14, derandomize=True, phases=[Phase.generate])


@pytest.mark.deep
def test_market__thousands_of_steps__books_agree_with_the_model(market):
    drive(
        market,
        int(os.environ.get("ASSAY_MACHINE_EXAMPLES", "150")),
        steps=50,
        derandomize=False,
        phases=[Phase.generate, Phase.shrink],
    )
