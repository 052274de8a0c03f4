"""Answers, refusals and garbage over HTTP, with no socket."""

import json

import httpx2
import pytest

from assay.chain.errors import BadEndpoint, EndpointFault, RpcError, shown_url
from assay.chain.rpc import endpoint
from assay.chain.rpc.endpoint import HttpEndpoint


def http_endpoint(handler):
    return HttpEndpoint("http://node:8545/secret-key", transport=httpx2.MockTransport(handler))


def answering(**parts):
    def handler(request):
        asked = json.loads(request.content)
        return httpx2.Response(200, json={"jsonrpc": "2.0", "id": asked["id"], **parts})

    return http_endpoint(handler)


async def test_request__result__returned():
    assert await answering(result="0x1").request("eth_chainId", []) == "0x1"


async def test_request__null_result__is_a_result():
    assert await answering(result=None).request("eth_getTransactionReceipt", []) is None


async def test_request__error__code_message_and_data_kept():
    made = answering(error={"code": 3, "message": "execution reverted", "data": "0xabcd"})
    with pytest.raises(RpcError) as caught:
        await made.request("eth_call", [])
    assert (caught.value.code, caught.value.message, caught.value.data) == (3, "execution reverted", "0xabcd")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>bad gateway</html>", b"[]", b"5", b'{"id": 99999, "result": "0x1"}', b"{}", b"\xff\xfe",
     b"[" * 100_000, b'{"jsonrpc": "2.0", "id": 1}', b'{"id": 1, "error": "no object"}'],
)  # fmt: skip
async def test_request__garbage__a_fault(body):
    made = http_endpoint(lambda request: httpx2.Response(200, content=body))
    with pytest.raises(EndpointFault):
        await made.request("eth_chainId", [])


async def test_request__endless_body__cut_off(monkeypatch):
    monkeypatch.setattr(endpoint, "MAX_RESPONSE", 1000)
    made = http_endpoint(lambda request: httpx2.Response(200, content=b"x" * 2000))
    with pytest.raises(EndpointFault, match="above 1000 bytes"):
        await made.request("eth_getLogs", [])


@pytest.mark.parametrize("error", [httpx2.ConnectError("refused"), httpx2.ReadTimeout("slow")])
async def test_request__network_fails__a_fault_without_the_key(error):
    def handler(request):
        raise error

    with pytest.raises(EndpointFault) as caught:
        await http_endpoint(handler).request("eth_chainId", [])
    assert "secret-key" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "localhost:8545", "ftp://host", "http://", "http://host:port", "ws://host"])
def test_endpoint__no_address__refused(url):
    with pytest.raises(BadEndpoint, match="RPC address"):
        HttpEndpoint(url)


def test_shown_url__key_in_path_user_and_query__hidden():
    assert shown_url("https://user:pass@rpc.example:443/v3/abcdef?key=1") == "https://rpc.example"
    assert shown_url("http://h:notaport/") == "?://?"
