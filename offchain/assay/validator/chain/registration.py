"""Taking a seat: stake, and the signer's own word that it signs for the account."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from assay.chain.contracts.erc20 import Erc20
from assay.chain.contracts.seats import seat_nonce
from assay.chain.rpc.client import Chain, ContractCall
from assay.chain.transactions.sender import Sender
from assay.network.origins import Endpoint
from assay.protocol.messages import SeatClaim
from assay.protocol.quorum import MAX_SEATS, price_of_seat
from assay.signing.remote_signer import MessageSigner
from assay.validator.errors import ValidatorError
from assay.validator.peers.peer_client import refusal_of

NO_FINGERPRINT = bytes(32)
MAX_ENDPOINT = 256


@dataclass(frozen=True, slots=True)
class Joined:
    """What joining did: transactions by name with their hashes and gas."""

    account: str
    signer: str
    staked: int
    transactions: tuple[tuple[str, str, int], ...]


async def join(
    chain: Chain, sender: Sender, signer: MessageSigner, endpoint: str, fingerprint: bytes = NO_FINGERPRINT
) -> Joined:
    """Deposits what the seat costs beyond the account's free stake, and takes the seat: where all are taken, the one
    with the lowest stake.

    The account is the sender's. Raises ValidatorError where it holds a seat already or has too few tokens, and
    ChainError.
    """
    account = sender.address
    _check_endpoint(endpoint, fingerprint)
    seats = await chain.call("ValidatorSet", "currentSeats", at="latest")
    if any(seat.account == account for seat in seats):
        raise ValidatorError(f"{account} holds a seat already; change its address with `assay validator endpoint`")
    needed = await _price(chain)
    free: int = await chain.call("StakeManager", "freeStake", account, at="latest")
    done: list[tuple[str, str, int]] = []
    short = max(0, needed - free)
    if short:
        await _check_balance(chain, account, short)
        manager = chain.deployment.address("StakeManager")
        approve = ContractCall("NetworkToken", "approve", (manager, short))
        receipt = await sender.send(approve, label="approve")
        done.append(("approve", receipt.transaction_hash, receipt.gas_used))
        receipt = await sender.send(ContractCall("StakeManager", "deposit", (account, short)), label="deposit")
        done.append(("deposit", receipt.transaction_hash, receipt.gas_used))
    claim = SeatClaim(account, signer.address, await seat_nonce(chain, account))
    signature = signer.sign(claim, chain.domain("ValidatorSet"))
    call = ContractCall("ValidatorSet", "join", (signer.address, endpoint, fingerprint, signature))
    receipt = await sender.send(call, label="join")
    done.append(("join", receipt.transaction_hash, receipt.gas_used))
    return Joined(account, signer.address, short, tuple(done))


async def announce(chain: Chain, sender: Sender, endpoint: str, fingerprint: bytes = NO_FINGERPRINT) -> str:
    """Changes where others reach the seat of the sender's account, and the certificate it shows there.

    Raises ValidatorError where the account holds no seat, and ChainError.
    """
    _check_endpoint(endpoint, fingerprint)
    seats = await chain.call("ValidatorSet", "plannedSeats", at="latest")
    if sender.address not in seats:
        raise ValidatorError(f"{sender.address} holds no seat and waits for none: take one with `assay validator join`")
    call = ContractCall("ValidatorSet", "setEndpoint", (endpoint, fingerprint))
    return (await sender.send(call, label="setEndpoint")).transaction_hash


def _check_endpoint(endpoint: str, fingerprint: bytes) -> None:
    if len(endpoint) > MAX_ENDPOINT:
        raise ValidatorError(f"endpoint {endpoint[:80]!r}: at most {MAX_ENDPOINT} letters")
    refusal = refusal_of(Endpoint(endpoint, fingerprint))
    if refusal is not None:
        raise ValidatorError(f"endpoint {refusal}: other seats would not speak to it")
    if any(fingerprint) and not endpoint.startswith("https://"):
        raise ValidatorError(f"endpoint {endpoint[:80]!r}: with a certificate (tls_dir) it is https://…")


async def _price(chain: Chain) -> int:
    head = await chain.head()
    planned = await chain.call("ValidatorSet", "plannedSeats", at=head)
    seat_stake = int(await chain.call("ValidatorSet", "seatStake", at=head))
    if len(planned) < MAX_SEATS:
        return seat_stake
    members = await asyncio.gather(*(chain.call("ValidatorSet", "member", one, at=head) for one in planned))
    return price_of_seat([int(member.stake) for member in members], seat_stake)


async def _check_balance(chain: Chain, account: str, short: int) -> None:
    balance = await Erc20(chain, chain.deployment.address("NetworkToken")).balance(account)
    if balance < short:
        raise ValidatorError(
            f"{account} holds {balance} base units of the network token, the seat needs {short} more stake: "
            "send it the difference"
        )


async def account_of(chain: Chain, signer: str) -> str:
    """The account whose seat this signer signs for. Raises ValidatorError where there is none."""
    for seat in await chain.call("ValidatorSet", "currentSeats", at="latest"):
        if seat.signer == signer:
            return str(seat.account)
    raise ValidatorError(
        f"no seat is signed for by {signer}: take one with `assay validator join`, or name the account's key"
    )
