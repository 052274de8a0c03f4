"""A node in memory with a memory pool, finality, and a seeded taste for trouble."""

import random

from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes

from assay.chain.errors import EndpointFault, RpcError
from assay.protocol.keccak import keccak

FINAL_DEPTH = 2


class FakeNode:
    """One account's view of a chain. With `trouble` (a probability) requests fail before or after they act,
    waiting transactions are dropped, and blocks that are not final are reorganised away."""

    url = "http://fake"

    def __init__(self, seed, trouble=0.0):
        self.random = random.Random(seed)
        self.trouble = trouble
        self.salt = 0
        self.base_fee = 10**9
        self.pool = {}  # nonce -> transaction
        self.blocks = [self._make([])]

    def _make(self, transactions):
        self.salt += 1
        return {"hash": keccak(self.salt.to_bytes(8, "big")), "transactions": transactions}

    @property
    def head(self):
        return len(self.blocks) - 1

    @property
    def final(self):
        return max(0, self.head - FINAL_DEPTH)

    def mined(self, until=None):
        last = self.head if until is None else until
        return [t for block in self.blocks[: last + 1] for t in block["transactions"]]

    def mine(self):
        taken, nonce = [], len(self.mined())
        while nonce in self.pool and self.pool[nonce]["maxFeePerGas"] >= self.base_fee:
            taken.append(self.pool.pop(nonce))
            nonce += 1
        self.blocks.append(self._make(taken))

    def live(self):
        """What time brings between two requests."""
        if self.random.random() < 0.2:
            self.mine()
        if self.random.random() >= self.trouble:
            return
        what = self.random.choice(["drop", "reorg", "fees"])
        if what == "drop" and self.pool:
            del self.pool[self.random.choice(list(self.pool))]
        elif what == "reorg" and self.head > FINAL_DEPTH:
            lost = self.blocks.pop()
            if self.random.random() < 0.5:
                self.pool.update({t["nonce"]: t for t in lost["transactions"]})
            self.blocks.append(self._make([]))
        elif what == "fees":
            self.base_fee = self.random.choice([1, 3, 10, 40]) * 10**9

    async def request(self, method, params):
        self.live()
        if self.random.random() < self.trouble / 2:
            raise EndpointFault(self.url, "cut before")
        result = getattr(self, method)(*params)
        if self.random.random() < self.trouble / 2:
            raise EndpointFault(self.url, "cut after")
        return result

    async def close(self):
        pass

    def eth_chainId(self):
        return "0x1"

    def eth_call(self, call, at):
        return "0x"

    def eth_estimateGas(self, call, at):
        return hex(50_000)

    def eth_maxPriorityFeePerGas(self):
        return hex(10**8)

    def _number(self, tag):
        return {"latest": self.head, "pending": self.head, "finalized": self.final}.get(tag)

    def eth_getBlockByNumber(self, tag, full):
        number = self._number(tag)
        number = int(tag, 16) if number is None else number
        if number > self.head:
            return None
        parent = self.blocks[max(0, number - 1)]["hash"]
        return {
            "number": hex(number),
            "hash": "0x" + self.blocks[number]["hash"].hex(),
            "parentHash": "0x" + parent.hex(),
            "timestamp": hex(number),
            "baseFeePerGas": hex(self.base_fee),
        }

    def eth_getTransactionCount(self, address, tag):
        number = self._number(tag)
        count = len(self.mined(int(tag, 16) if number is None else number))
        while tag == "pending" and count in self.pool:
            count += 1
        return hex(count)

    def eth_sendRawTransaction(self, raw):
        transaction = dict(TypedTransaction.from_bytes(HexBytes(raw)).as_dict())
        transaction["hash"] = keccak(bytes.fromhex(raw[2:]))
        nonce = transaction["nonce"]
        if self.random.random() < self.trouble / 3:
            raise RpcError("eth_sendRawTransaction", -32_000, "insufficient funds for gas * price + value")
        if nonce < len(self.mined()):
            raise RpcError("eth_sendRawTransaction", -32_000, "nonce too low")
        if there := self.pool.get(nonce):
            if there["hash"] == transaction["hash"]:
                raise RpcError("eth_sendRawTransaction", -32_000, "already known")
            for fee in ("maxFeePerGas", "maxPriorityFeePerGas"):
                if transaction[fee] * 100 < there[fee] * 110:
                    raise RpcError("eth_sendRawTransaction", -32_000, "replacement transaction underpriced")
        self.pool[nonce] = transaction
        return "0x" + transaction["hash"].hex()

    def eth_getTransactionReceipt(self, wanted):
        for number, block in enumerate(self.blocks):
            for transaction in block["transactions"]:
                if "0x" + transaction["hash"].hex() == wanted:
                    return {
                        "transactionHash": wanted,
                        "blockNumber": hex(number),
                        "blockHash": "0x" + block["hash"].hex(),
                        "gasUsed": hex(21_000),
                        "status": "0x1",
                    }
        return None

    def eth_getTransactionByHash(self, wanted):
        waiting = any("0x" + t["hash"].hex() == wanted for t in self.pool.values())
        return {} if waiting or self.eth_getTransactionReceipt(wanted) else None
