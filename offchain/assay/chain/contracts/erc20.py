"""ERC-20 tokens that are not in the deployment: balances, decimals, approvals."""

from __future__ import annotations

from asyncio import gather
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from unicodedata import category

from assay.chain.errors import ChainError, RpcError, UnreadableAnswer
from assay.chain.rpc.client import At, Chain
from assay.chain.transactions.sender import Sender
from assay.protocol.encoding import u256
from assay.protocol.hexadecimal import parse_hex
from assay.protocol.keccak import keccak
from assay.protocol.text import one_line, printable


def selector(signature: str) -> bytes:
    """The first 4 bytes of H(signature)."""
    return keccak(signature.encode())[:4]


BALANCE_OF = selector("balanceOf(address)")
ALLOWANCE = selector("allowance(address,address)")
DECIMALS = selector("decimals()")
SYMBOL = selector("symbol()")
APPROVE = selector("approve(address,uint256)")
COIN = "coin"  # what the chain's own is called
MAX_SYMBOL = 16


@dataclass(frozen=True)
class Erc20:
    """One token by its checksummed address; amounts in base units."""

    chain: Chain
    address: str

    async def balance(self, account: str, at: At = "latest") -> int:
        """What an account holds."""
        return await self._number(BALANCE_OF + u256(account), at)

    async def allowance(self, owner: str, spender: str, at: At = "latest") -> int:
        """What `spender` may still take from `owner`."""
        return await self._number(ALLOWANCE + u256(owner) + u256(spender), at)

    async def decimals(self) -> int:
        """Digits after the point. Raises ChainError for a token that gives more than 36."""
        value = await self._number(DECIMALS, "latest")
        if value > 36:
            raise ChainError(f"token {self.address}: {value} decimals cannot be right")
        return value

    async def symbol(self) -> str:
        """Its symbol, cut to 16 characters that can be shown; the address where it has none. Anybody may give a token
        any: no symbol says which token it is."""
        try:
            data = await self._call(SYMBOL, "latest")
        except (RpcError, BadAnswer):
            return self.address
        return symbol_in(data) or self.address

    async def approve(self, sender: Sender, spender: str, amount: int) -> int:
        """Raises the allowance to at least `amount`; gas used, 0 where it was enough already.

        Tokens that refuse to change an allowance from one value above zero to another are first set to zero.
        """
        held = await self.allowance(sender.address, spender)
        if held >= amount:
            return 0
        gas = 0
        for value in (0, amount) if held else (amount,):
            data = APPROVE + u256(spender) + u256(value)
            receipt = await sender.send_raw(self.address, data, label=f"{self.address}.approve")
            gas += receipt.gas_used
        return gas

    async def _number(self, data: bytes, at: At) -> int:
        answer = await self._call(data, at)
        if len(answer) < 32:
            raise BadAnswer(f"token {self.address}: is not an ERC-20 contract (answered {len(answer)} bytes)")
        return int.from_bytes(answer[:32], "big")

    async def _call(self, data: bytes, at: At) -> bytes:
        if isinstance(at, str):
            where: str = at
        else:
            where = hex((at or await self.chain.finalised()).number)
        call = {"to": self.address, "data": "0x" + data.hex()}
        try:
            answer: bytes = await self.chain.rpc(
                "eth_call", [call, where], lambda answer: parse_hex(answer, "eth_call", max_bytes=1 << 16)
            )
            return answer
        except UnreadableAnswer as error:
            raise BadAnswer(f"token {self.address}: its answer cannot be read ({error})") from None


class BadAnswer(ChainError):
    """A token that answers as none does."""


def symbol_in(data: bytes) -> str:
    """The symbol in what `symbol()` returned, as text or, as the oldest tokens have it, 32 bytes; empty without one."""
    if len(data) == 32:
        raw = data.rstrip(b"\0")
    elif len(data) >= 64:
        start = int.from_bytes(data[:32], "big") + 32
        raw = data[start : start + min(int.from_bytes(data[start - 32 : start], "big"), 4 * MAX_SYMBOL)]
    else:
        return ""
    # Marks that join or turn what stands beside them would change the line they are shown in.
    text = "".join(c for c in printable(raw.decode("utf-8", "ignore")) if not category(c).startswith("M"))
    return one_line(text)[:MAX_SYMBOL].strip()


async def symbols_of(chain: Chain, tokens: Iterable[str]) -> dict[str, str]:
    """What to call tokens beside each other and beside the chain's own coin: a symbol that two of them have, or that
    the coin goes by, with the token's address."""
    known = sorted(set(tokens))
    found = dict(zip(known, await gather(*(Erc20(chain, token).symbol() for token in known)), strict=True))
    taken = Counter([COIN, *(symbol.casefold() for symbol in found.values())])
    return {token: symbol if taken[symbol.casefold()] == 1 else f"{symbol} {token}" for token, symbol in found.items()}
