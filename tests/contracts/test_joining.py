"""A validator takes a seat through the package, where there is room and where there is none."""

from __future__ import annotations

import pytest

from assay.chain.deployment import Deployment
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender
from assay.protocol.keccak import keccak
from assay.protocol.quorum import MAX_SEATS
from assay.validator.chain.registration import join
from assay.validator.errors import ValidatorError

ACCOUNT, SIGNER = Key(keccak(b"newcomer")), Key(keccak(b"newcomer's signer"))
LOWEST = 7  # of those that join after the first seats
ENDPOINT = "https://validator.example:8701"


@pytest.mark.deep  # ninety transactions
async def test_join__every_seat_taken__puts_up_what_the_lowest_seat_costs_and_takes_it(network, accounts, tmp_path):
    price = network.ValidatorSet.seatStake()
    free = [one for one in accounts[5:10] + accounts[14:45] if network.NetworkToken.balanceOf(one) >= 2 * price]
    newcomers = free[: MAX_SEATS - len(network.seats)]
    for number, account in enumerate(newcomers):
        network.join(account, f"later {number}")
    for account in [*(seat for seat, _ in network.seats), *newcomers]:
        network.stake(account, 3)
        network.ValidatorSet.raiseStake(1 if account == newcomers[LOWEST] else 3, sender=account)
    network.chain.provider.set_balance(ACCOUNT.address, 10**20)
    needed = -(-(price + 1) * 11 // 10)
    chain = await Chain.connect(network.chain.provider.http_uri, Deployment.load(network.file), final_depth=0)
    journal = Journal(tmp_path / "journal.sqlite", ACCOUNT.address, chain.chain_id)
    try:
        sender = Sender(chain, ACCOUNT, journal, poll_s=0.01)
        network.NetworkToken.transfer(ACCOUNT.address, needed - 1, sender=accounts[0])
        with pytest.raises(ValidatorError, match=f"the seat needs {needed} more stake"):
            await join(chain, sender, SIGNER, ENDPOINT, b"\1" * 32)
        network.NetworkToken.transfer(ACCOUNT.address, 1, sender=accounts[0])
        joined = await join(chain, sender, SIGNER, ENDPOINT, b"\1" * 32)
    finally:
        journal.close()
        await chain.close()
    assert joined.staked == needed == network.ValidatorSet.member(ACCOUNT.address).stake
    planned = network.ValidatorSet.plannedSeats()
    assert len(planned) == MAX_SEATS and ACCOUNT.address in planned and newcomers[LOWEST].address not in planned
