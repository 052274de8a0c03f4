"""What clients say of a transaction, in their words, and what follows from it."""

import pytest

from assay.chain.transactions.broadcast import Refusal, classify, outcome

# Client, words, meaning. Anything that is not known to be final must leave the transaction open.
WORDS = [
    ("geth", "already known", Refusal.ALREADY_KNOWN),
    ("geth", "ALREADY_EXISTS: already known", Refusal.ALREADY_KNOWN),
    ("geth, old", "known transaction: 0x3b7baba5", Refusal.ALREADY_KNOWN),
    ("geth", "nonce too low: address 0x00, tx: 4 state: 5", Refusal.NONCE_TOO_LOW),
    ("geth", "nonce too high: address 0x00, tx: 9 state: 5", Refusal.BUSY),
    ("geth", "transaction underpriced: gas tip cap 0, minimum needed 1", Refusal.UNDERPRICED),
    ("geth", "replacement transaction underpriced", Refusal.UNDERPRICED),
    ("geth", "max fee per gas less than block base fee: address 0x00, maxFeePerGas: 1", Refusal.UNDERPRICED),
    ("geth", "txpool is full", Refusal.BUSY),
    ("geth", "future transaction tries to replace pending", Refusal.BUSY),
    ("geth", "account limit exceeded", Refusal.BUSY),
    ("geth", "address already reserved", Refusal.BUSY),
    ("geth", "in-flight transaction limit reached for delegated accounts", Refusal.BUSY),
    ("geth", "gapped-nonce tx from delegated accounts", Refusal.BUSY),
    ("geth", "insufficient funds for gas * price + value: balance 1, tx cost 2, overshot 1", Refusal.FUNDS),
    ("geth", "insufficient funds for gas * price + value: balance 9, queued cost 8, tx cost 2", Refusal.FUNDS),
    ("geth", "intrinsic gas too low: gas 20000, minimum needed 21000", Refusal.REFUSED),
    ("geth", "exceeds block gas limit", Refusal.REFUSED),
    ("geth", "invalid sender", Refusal.REFUSED),
    ("geth", "invalid chain id for signer: have 1 want 5", Refusal.REFUSED),
    ("geth", "oversized data: transaction size 131073, limit 131072", Refusal.REFUSED),
    ("geth", "max initcode size exceeded: code size 50000, limit 49152", Refusal.REFUSED),
    ("geth", "transaction type not supported: type 2 rejected, pool not yet in London", Refusal.REFUSED),
    ("geth", "max priority fee per gas higher than max fee per gas: address 0x00", Refusal.REFUSED),
    ("geth", "tx fee (2.10 ether) exceeds the configured cap (1.00 ether)", Refusal.REFUSED),
    ("geth", "only replay-protected (EIP-155) transactions allowed over RPC", Refusal.REFUSED),
    ("geth", "context deadline exceeded", Refusal.UNKNOWN),
    ("geth", "context canceled", Refusal.UNKNOWN),
    ("geth", "request timed out", Refusal.UNKNOWN),
    ("nethermind", "AlreadyKnown", Refusal.ALREADY_KNOWN),
    ("nethermind", "already known", Refusal.ALREADY_KNOWN),
    ("nethermind", "OldNonce, Current nonce: 5, nonce of rejected tx: 4", Refusal.NONCE_TOO_LOW),
    ("nethermind", "FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, BaseFee: 7", Refusal.UNDERPRICED),
    ("nethermind", "FeeTooLowToCompete", Refusal.UNDERPRICED),
    ("nethermind", "ReplacementNotAllowed", Refusal.UNKNOWN),
    ("nethermind", "NonceGap, Future nonce. Expected nonce: 5", Refusal.BUSY),
    ("nethermind", "NonceTooFarInFuture", Refusal.BUSY),
    ("nethermind", "InsufficientFunds, Account balance: 0, cumulative cost: 21000", Refusal.FUNDS),
    ("nethermind", "GasLimitExceeded, Gas limit: 30000000, gas limit of rejected tx: 40000000", Refusal.REFUSED),
    ("nethermind", "FailedToResolveSender", Refusal.REFUSED),
    ("nethermind", "Invalid, InvalidTxChainId: Expected 5, got 1", Refusal.REFUSED),
    ("nethermind", "Internal error", Refusal.UNKNOWN),
    ("erigon", "already known", Refusal.ALREADY_KNOWN),
    ("erigon", "existing tx with same hash", Refusal.UNKNOWN),
    ("erigon", "nonce too low", Refusal.NONCE_TOO_LOW),
    ("erigon", "fee too low", Refusal.UNDERPRICED),
    ("erigon", "could not replace existing tx", Refusal.UNKNOWN),
    ("erigon", "pending sub-pool is full", Refusal.BUSY),
    ("erigon", "insufficient funds", Refusal.FUNDS),
    ("erigon", "intrinsic gas too low", Refusal.REFUSED),
    ("erigon", "rlp too long", Refusal.REFUSED),
    ("besu", "Known transaction", Refusal.ALREADY_KNOWN),
    ("besu", "Nonce too low", Refusal.NONCE_TOO_LOW),
    ("besu", "Gas price below configured minimum gas price", Refusal.UNDERPRICED),
    ("besu", "Replacement transaction underpriced", Refusal.UNDERPRICED),
    ("besu", "Transaction pool not enabled. (Either txpool or syncing)", Refusal.BUSY),
    ("besu", "Nonce too distant from current sender nonce", Refusal.BUSY),
    ("besu", "Upfront cost exceeds account balance", Refusal.FUNDS),
    ("besu", "Transaction gas limit exceeds block gas limit", Refusal.REFUSED),
    ("besu", "Intrinsic gas exceeds gas limit", Refusal.REFUSED),
    ("besu", "Wrong chainId", Refusal.REFUSED),
    ("besu", "Invalid signature", Refusal.REFUSED),
    ("besu", "Internal error", Refusal.UNKNOWN),
    ("reth", "already known", Refusal.ALREADY_KNOWN),
    ("reth", "nonce too low: next nonce 5, tx nonce 4", Refusal.NONCE_TOO_LOW),
    ("reth", "insufficient gas price to replace existing transaction", Refusal.UNDERPRICED),
    ("reth", "transaction feeCap 1 below chain minimum", Refusal.UNDERPRICED),
    ("reth", "txpool is full", Refusal.BUSY),
    ("reth", "insufficient funds for gas * price + value: have 1 want 2", Refusal.FUNDS),
    ("reth", "sender is not an EOA", Refusal.REFUSED),
    ("anvil", "transaction already imported", Refusal.ALREADY_KNOWN),
    ("anvil", "nonce too low", Refusal.NONCE_TOO_LOW),
    ("anvil", "Insufficient funds for gas * price + value", Refusal.FUNDS),
    ("anvil", "intrinsic gas too high", Refusal.REFUSED),
    ("hardhat", "Known transaction: 0x00", Refusal.ALREADY_KNOWN),
    ("hardhat", "Nonce too low. Expected nonce to be 5 but got 4.", Refusal.NONCE_TOO_LOW),
    (
        "hardhat",
        "Nonce too high. Expected nonce to be 5 but got 6. Note that transactions can't be queued",
        Refusal.BUSY,
    ),
    ("hardhat", "Transaction gas limit is 40000000 and exceeds block gas limit of 30000000", Refusal.REFUSED),
    ("hardhat", "Sender doesn't have enough funds to send tx. The max upfront cost is: 2", Refusal.FUNDS),
    # Hardhat mines such a transaction and answers with an error all the same.
    ("hardhat", "VM Exception while processing transaction: reverted with reason string 'no'", Refusal.UNKNOWN),
    ("op-geth", "failed to forward transaction to sequencer, please try again", Refusal.UNKNOWN),
    ("op-geth", "sequencer is unavailable: context deadline exceeded", Refusal.UNKNOWN),
    ("arbitrum", "nonce too high: address 0x00, tx: 9 state: 5", Refusal.BUSY),
    ("arbitrum", "sequencer temporarily not available", Refusal.UNKNOWN),
    ("arbitrum", "failed to send transaction to backend, all retries exhausted", Refusal.UNKNOWN),
    ("zksync", "max fee per gas less than block base fee", Refusal.UNDERPRICED),
    ("polygon", "INTERNAL_ERROR: nonce too low", Refusal.NONCE_TOO_LOW),
    ("a provider", "rate limit exceeded", Refusal.BUSY),
    ("a provider", "Too Many Requests", Refusal.BUSY),
    ("a proxy", "upstream request timeout", Refusal.UNKNOWN),
    ("a proxy", "service unavailable", Refusal.UNKNOWN),
    ("anybody", "", Refusal.UNKNOWN),
    ("anybody", "unknown transaction", Refusal.UNKNOWN),
    ("anybody", "transaction rejected", Refusal.UNKNOWN),
]


@pytest.mark.parametrize(("client", "words", "meaning"), WORDS, ids=[f"{c}: {w[:40]}" for c, w, _ in WORDS])
def test_classify__words_of_clients__meaning(client, words, meaning):
    assert classify(words) is meaning


FINAL, OPEN, KNOWN = "intrinsic gas too low", "internal error", "already known"


@pytest.mark.parametrize(
    ("answers", "meaning"),
    [
        ([None], None),
        ([FINAL, None], None),
        ([FINAL], Refusal.REFUSED),
        ([FINAL, OPEN], Refusal.UNKNOWN),
        ([FINAL, ""], Refusal.UNKNOWN),
        ([FINAL, KNOWN], Refusal.ALREADY_KNOWN),
        ([], Refusal.UNKNOWN),
        ([FINAL, "nonce too low"], Refusal.NONCE_TOO_LOW),
        ([FINAL, "insufficient funds"], Refusal.REFUSED),
    ],
)
def test_outcome__several_endpoints__final_only_where_all_are(answers, meaning):
    assert outcome(answers) is meaning
