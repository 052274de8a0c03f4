"""Logs kept on disk: asked for once, believed only while the chain has the block they were seen at."""

import json

import pytest

from assay.chain.rpc.client import Chain
from assay.chain.rpc.events import event_pieces, read_events
from assay.chain.rpc.log_cache import LogCache
from assay.chain.rpc.pool import EndpointPool
from tests.unit.chain.rpc.test_events import DEPLOYMENT, LogNode


def chain_of(node, folder):
    return Chain(EndpointPool([node], 31_337), DEPLOYMENT, log_cache=LogCache(folder, 31_337))


async def values(chain, first=0, last=None):
    found = await read_events(chain, "Probe", ["Counted"], first, last or await chain.finalised())
    return [event.args["value"] for event in found]


def file_of(folder):
    (path,) = (folder / "logs" / "31337").iterdir()
    return path


async def test_read_events__again_in_another_process__only_what_is_new(tmp_path):
    node = LogNode()
    assert await values(chain_of(node, tmp_path)) == list(range(99))
    node.head, node.final, node.ranges = 150, 148, []
    assert await values(chain_of(node, tmp_path)) == list(range(149))
    assert node.ranges == [(99, 148)]


async def test_read_events__nothing_new__no_logs_asked_for(tmp_path):
    node = LogNode()
    await values(chain_of(node, tmp_path))
    node.ranges = []
    assert await values(chain_of(node, tmp_path)) == list(range(99))
    assert node.ranges == []


async def test_read_events__an_earlier_block_or_a_later_beginning__only_its_part(tmp_path):
    node = LogNode()
    await values(chain_of(node, tmp_path))
    chain = chain_of(node, tmp_path)
    assert await values(chain, 40) == list(range(40, 99))
    assert await values(chain, 0, await chain.block(50)) == list(range(51))
    assert await values(chain) == list(range(99))


async def test_read_events__another_chain_by_the_same_number__read_anew(tmp_path):
    node = LogNode()
    await values(chain_of(node, tmp_path))
    node.fork, node.ranges = b"another", []
    assert await values(chain_of(node, tmp_path)) == list(range(99))
    assert node.ranges == [(0, 98)]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"form": 1}', "\ufeff{}", '{"form": 2, "logs": []}'])
async def test_read_events__damaged_file__read_anew(tmp_path, text):
    node = LogNode()
    await values(chain_of(node, tmp_path))
    file_of(tmp_path).write_text(text)
    assert await values(chain_of(node, tmp_path)) == list(range(99))


async def test_read_events__file_with_a_log_of_another_question__read_anew(tmp_path):
    node = LogNode()
    await values(chain_of(node, tmp_path))
    kept = json.loads(file_of(tmp_path).read_text())
    kept["logs"][3][0] = ["0x" + "44" * 32]
    file_of(tmp_path).write_text(json.dumps(kept))
    assert await values(chain_of(node, tmp_path)) == list(range(99))


async def test_event_pieces__broken_off__what_was_read_is_kept(tmp_path):
    node = LogNode(limit=10)
    chain = chain_of(node, tmp_path)
    reading = event_pieces(chain, "Probe", ["Counted"], 0, await chain.finalised())
    async for end, _ in reading:
        if end >= 40:
            break
    await reading.aclose()
    node.ranges = []
    assert await values(chain_of(node, tmp_path)) == list(range(99))
    assert min(first for first, _ in node.ranges) > 40


async def test_read_events__folder_not_writable__read_all_the_same(tmp_path):
    (tmp_path / "logs").write_text("a file where a folder should be")
    assert await values(chain_of(LogNode(), tmp_path)) == list(range(99))
