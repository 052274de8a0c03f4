"""Parameters of the network that the tests deploy: epochs of an hour, work small enough for a test."""

from scripts._deployment.files import checked, load
from scripts._deployment.parameters import Parameters

HOUR = 3600
TOKENS = 10**18
SEATS = 4


def parameters_for(accounts) -> Parameters:
    """Of `deployments/local.yml` the shape, with longer epochs and a tiny profile beside micro."""
    base = load("local").model_dump()
    base["epochs"] = {
        "genesis": "now+1000",
        "epochLength": HOUR,
        "openBy": 180,
        "sealBy": 1980,
        "drawBy": 2340,
        "reportBy": 5400,
        "drawDelay": 4,
        "proofWindow": 6 * HOUR,
    }
    micro = base["profiles"][0]
    tiny = {**micro, "name": "tiny", "M": 32, "N": 64, "K": 64, "T": 3, "chunk": 32, "k": 8, "W": 2}
    base["profiles"] = [micro, tiny]
    base["token"]["allocations"] = [{"account": a.address, "amount": 10**24} for a in accounts]
    base["registry"]["workPerCredit"] = tiny["M"] * tiny["N"] * tiny["K"] * tiny["T"]
    base["stakes"].update(unbondingPeriod=130_000, slashHold=2 * HOUR)
    base["seats"] = {"seatStake": 100_000 * TOKENS, "idleEpochs": 3}
    base["rewards"].update(claimDelay=HOUR, longClaimDelay=3 * HOUR)
    base["leases"].update(holdback=2 * HOUR + 5400, maxDowntime=HOUR, maxAge=4)
    base["governance"] = {
        "timelockDelay": HOUR,
        "longestDelay": HOUR,
        "proposers": [accounts[0].address],
        "executors": [accounts[0].address],
        "guardian": accounts[1].address,
    }
    return checked(base, "the parameters of the tests")
