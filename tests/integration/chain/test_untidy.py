"""A real node, and what accounts, limits and other nodes make of it."""

import asyncio
import json

import pytest

from assay.chain.client import Chain, ContractCall
from assay.chain.errors import EndpointsDisagree, NoCodeAt
from assay.chain.events import read_events
from assay.chain.fees import FeePolicy
from assay.chain.journal import Journal
from assay.chain.key_files import Key
from assay.chain.log_cache import LogCache
from assay.chain.sender import Sender
from tests.integration.chain.fault_proxy import FaultProxy

COUNT = ContractCall("Probe", "count", (1,))


def sender_of(chain, key, path, **policy):
    return Sender(chain, key, Journal(path, key.address, chain.chain_id), policy=FeePolicy(**policy), poll_s=0.05)


def saying(raw):
    """`say` with bytes that Solidity takes for text."""
    return lambda chain: chain.encode(ContractCall("Probe", "say", ("x" * len(raw),))).replace(b"x" * len(raw), raw)


@pytest.mark.parametrize("raw", [b"http://caf\xe9", b"\xff" * 40, b"\xed\xa0\x80", b"\x00\x1b[2J"])
async def test_read_events__text_that_is_not_utf8__it_and_all_others_are_read(anvil, chain, key, tmp_path, raw):
    sender = sender_of(chain, key, tmp_path / "j")
    await sender.send(COUNT)
    await sender.send_raw(chain.deployment.address("Probe"), saying(raw)(chain), label="say")
    await sender.send(COUNT)
    events = await read_events(chain, "Probe", ["Counted", "Said"], 0, await chain.head())
    assert [event.name for event in events] == ["Counted", "Said", "Counted"]
    assert events[1].args["words"] == raw.decode("utf-8", "replace")
    assert await chain.call("Probe", "words", at="latest") == raw.decode("utf-8", "replace")
    assert chain.unread == 0


async def test_read_events__by_an_indexed_account__its_own_alone(anvil, chain, key, tmp_path):
    other = Key.generate()
    await anvil.rpc("anvil_setBalance", other.address, hex(10**20))
    await sender_of(chain, key, tmp_path / "j").send(COUNT)
    await sender_of(chain, other, tmp_path / "k").send(COUNT)
    own = {"by": [other.address]}
    events = await read_events(chain, "Probe", ["Counted", "Said"], 0, await chain.head(), where=own)
    assert [(event.args["by"], event.args["value"]) for event in events] == [(other.address, 2)]


async def test_read_events__kept_on_disk_and_the_chain_started_anew__read_anew(anvil, deployment, key, tmp_path):
    chain = await Chain.connect(anvil.url, deployment, log_cache=LogCache(tmp_path, 31_337))
    await sender_of(chain, key, tmp_path / "j").send(COUNT)
    await anvil.mine(40)
    assert len(await read_events(chain, "Probe", ["Counted"], 0, await chain.head())) == 1
    assert list((tmp_path / "logs").rglob("*.json"))
    await anvil.rpc("anvil_reorg", 41, [])
    await anvil.mine(40)
    assert await read_events(chain, "Probe", ["Counted"], 0, await chain.head()) == []
    await chain.close()


async def test_call__many_at_once__as_each_by_itself(anvil, deployment, key, tmp_path):
    chain = await Chain.connect(anvil.url, deployment, batch=True)
    await sender_of(chain, key, tmp_path / "j").send(ContractCall("Probe", "count", (5,)))
    for at in ("latest", await chain.head()):
        found = await asyncio.gather(
            chain.call("Probe", "counter", at=at), chain.call("Probe", "pair", at=at),
            chain.call("Probe", "divide", 0, at=at), chain.call("Probe", "refuse", 7, at=at),
            chain.call("Probe", "divide", 1, at=at), chain.call("Probe", "words", at=at), return_exceptions=True,
        )  # fmt: skip
        assert (found[0], found[1].left, found[4], found[5]) == (5, 5, 1, "")
        assert "Panic" in str(found[2]) and "Probe_Refused(wanted=7" in str(found[3])
        assert chain._batch._works, "the node does not run code that is not deployed"
    await chain.close()


async def test_connect__batched_and_one_contract_without_code__named(anvil, deployment):
    empty = deployment.contracts["Probe"].model_copy(update={"address": "0x" + "11" * 20})
    other = deployment.model_copy(update={"contracts": {**deployment.contracts, "Other": empty}})
    with pytest.raises(NoCodeAt, match="Other: no code"):
        await Chain.connect(anvil.url, other, batch=True)


@pytest.mark.parametrize(
    "words", ["already known", "internal error", "context deadline exceeded", "insufficient funds"]
)
async def test_send__taken_with_an_error__mined_once(anvil, chain, deployment, key, tmp_path, words):
    async with FaultProxy(anvil.url, rate=1) as proxy:
        behind = await Chain.connect(proxy.url, deployment)
        proxy.mode, proxy.errors = {"taken-with-an-error"}, [words]
        for n in range(2):
            assert (
                await sender_of(behind, key, tmp_path / f"j{n}").send(COUNT, purpose="once", timeout_s=20)
            ).succeeded
            assert await chain.call("Probe", "counter", at="latest") == n + 1
        assert await anvil.rpc("eth_getTransactionCount", key.address, "latest") == "0x2"
        await behind.close()


async def test_send__not_enough_coin__refused_by_name_and_the_nonce_is_free(anvil, chain, tmp_path):
    poor = Key.generate()
    sender = sender_of(chain, poor, tmp_path / "j")
    with pytest.raises(Exception, match=r"cannot pay|nsufficient"):
        await sender.send(COUNT, gas=90_000)
    await anvil.rpc("anvil_setBalance", poor.address, hex(10**20))
    assert (await sender.send(COUNT)).succeeded
    assert await anvil.rpc("eth_getTransactionCount", poor.address, "latest") == "0x1"


async def test_read_events__a_second_node_has_another_log__noticed(anvil, chain, deployment, key, tmp_path):
    async with FaultProxy(anvil.url) as liar:
        two = await Chain.connect([liar.url, anvil.url], deployment)
        await sender_of(chain, key, tmp_path / "j").send(COUNT)
        head = await chain.head()
        assert len(await read_events(two, "Probe", ["Counted"], 0, head)) == 1
        forward = liar._forward

        async def without_logs(body):
            if b"eth_getLogs" not in body:
                return await forward(body)
            return json.dumps({"jsonrpc": "2.0", "id": json.loads(body)["id"], "result": []}).encode()

        liar._forward = without_logs
        with pytest.raises(EndpointsDisagree, match="shows 0"):
            await read_events(two, "Probe", ["Counted"], 0, head)
        await two.close()
