"""Logging in with a wallet: nonces, messages, sessions and their bounds. In process, without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from eth_utils.address import to_checksum_address

from assay.chain.contracts.leases import Lease
from assay.chain.rpc.blocks import Block
from assay.network.origins import Origin
from assay.protocol.sign_in import SignIn, personal_digest
from assay.protocol.signing import address_of, sign_compact
from assay.provider.access.announced_origins import AnnouncedOrigins
from assay.provider.access.logins import CHECK_BURST, MAX_OF_A_LEASE, NONCE_VALID_S, Logins
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import NotAuthorised, Unavailable
from tests.unit.provider.api_bench import CONTRACT, NOW, Api, announced, login_of_a_contract, serving
from tests.unit.provider.conftest import DEVICE_ID, ChainFake, key


@pytest.fixture
async def api(tmp_path: Path, chain: ChainFake, device: OwnDevice, lease: Lease) -> AsyncIterator[Api]:
    async with serving(tmp_path, chain, device, lease) as one:
        yield one


async def logged_in(api: Api, signer: str = "renter", **changes: Any) -> httpx2.Response:
    nonce = (await api.client.get("/v1/login/nonce")).json()["nonce"]
    message = SignIn("provider", address_of(key(signer)), "http://provider", 31337, nonce, NOW, NOW + 600, 3)
    text = replace(message, **changes).text()
    signature = sign_compact(personal_digest(text), key(signer))
    return await api.client.post("/v1/leases/3/login", json={"message": text, "signature": "0x" + signature.hex()})


async def test_login__renter__opens_a_session_for_this_lease_until_logout(api: Api, lease: Lease) -> None:
    token = (await logged_in(api)).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    assert (await api.client.get("/v1/leases/3/jobs", headers=headers)).status_code == 200
    api.chain.leases[4] = replace(api.chain.leases[3], lease_id=4)
    assert (await api.client.get("/v1/leases/4/jobs", headers=headers)).status_code == 403
    await api.client.post("/v1/logout", headers=headers)
    assert (await api.client.get("/v1/leases/3/jobs", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"signer": "stranger"}, 403), ({"address": "0x" + "44" * 20}, 401), ({"domain": "evil"}, 401),
        ({"chain_id": 1}, 401), ({"lease_id": 4}, 401), ({"expires_at": NOW}, 401), ({"issued_at": NOW + 500}, 401),
        ({"nonce": "00000000"}, 401), ({"nonce": "f" * 60}, 401), ({"uri": "http://evil"}, 401),
        ({"uri": "https://provider"}, 401), ({"uri": "http://provider@evil/"}, 401), ({"uri": "http://[evil"}, 401),
        ({"uri": "http://provider:99999"}, 401),
    ],
)  # fmt: skip
async def test_login__anothers_expired_or_forged__opens_nothing(api: Api, options: dict[str, Any], status: int) -> None:
    answer = await logged_in(api, **options)
    assert answer.status_code == status and set(answer.json()) == {"error"}


async def test_login__renter_is_a_contract__is_asked_whether_it_accepts(api: Api) -> None:
    api.chain.contract = to_checksum_address(CONTRACT)
    api.chain.leases[3] = replace(api.chain.leases[3], renter=api.chain.contract)
    token = (await login_of_a_contract(api, api.chain.contract)).json()["token"]
    answer = await api.client.get("/v1/leases/3/jobs", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    for forged in (b"", bytes(64), bytes(65), bytes(640)):
        assert (await login_of_a_contract(api, api.chain.contract, forged)).status_code == 401
    assert (await login_of_a_contract(api, api.chain.contract, bytes(5000))).status_code == 422


async def test_login__contract_that_is_not_the_renter__is_never_asked(api: Api) -> None:
    api.chain.contract = to_checksum_address(CONTRACT)
    assert (await login_of_a_contract(api, api.chain.contract)).status_code == 401


async def test_login__message_used_twice_or_token_made_up__is_401(api: Api) -> None:
    nonce = (await api.client.get("/v1/login/nonce")).json()["nonce"]
    text = SignIn("provider", address_of(key("renter")), "http://provider", 31337, nonce, NOW, NOW + 600, 3).text()
    body = {"message": text, "signature": "0x" + sign_compact(personal_digest(text), key("renter")).hex()}
    assert (await api.client.post("/v1/leases/3/login", json=body)).status_code == 200
    assert (await api.client.post("/v1/leases/3/login", json=body)).status_code == 401
    headers = {"authorization": "Bearer made-up"}
    assert (await api.client.get("/v1/leases/3/jobs", headers=headers)).status_code == 401


@pytest.mark.parametrize("changes", [{"domain": "evil", "uri": "https://evil/"}, {"domain": "evil"}])
async def test_login__for_another_host_sent_with_that_hosts_name__opens_nothing(api: Api, changes: Any) -> None:
    api.client.headers["host"] = "evil"
    assert (await logged_in(api, **changes)).status_code == 401
    assert (await logged_in(api)).status_code == 200


async def test_nonces__asked_for_without_end__keep_nobody_from_logging_in(api: Api) -> None:
    logins = Logins(31337, api.chain.contract_accepts, lambda: float(NOW))
    nonces = {logins.nonce() for _ in range(20_000)}
    assert len(nonces) == 20_000
    for _ in range(300):
        await api.client.get("/v1/login/nonce")
    assert (await logged_in(api)).status_code == 200


async def test_logins__of_one_lease_without_end__are_bounded_and_end_no_others(api: Api) -> None:
    lease, now = api.chain.leases[3], [float(NOW)]
    logins = Logins(31337, api.chain.contract_accepts, lambda: now[0])
    origins = (await announced(DEVICE_ID)).of([DEVICE_ID])

    async def log_in(one: Lease) -> str:
        at = int(now[0])
        address = address_of(key("renter"))
        text = SignIn("provider", address, "http://provider", 31337, logins.nonce(), at, at + 3600, one.lease_id).text()
        signature = sign_compact(personal_digest(text), key("renter"))
        return (await logins.log_in(text, signature, origins, one, "a"))[0]

    other = replace(lease, lease_id=4)
    kept, first = await log_in(other), await log_in(lease)
    for _ in range(MAX_OF_A_LEASE - 1):
        await log_in(lease)
    with pytest.raises(Unavailable):
        await log_in(lease)
    await log_in(other)
    now[0] += NONCE_VALID_S
    await log_in(lease)
    with pytest.raises(NotAuthorised):
        logins.check(first, lease)
    logins.check(kept, other)

    tickets = [logins.ticket(other), *(logins.ticket(lease) for _ in range(20 * MAX_OF_A_LEASE))]
    logins.redeem(tickets[0], other)
    logins.redeem(tickets[-1], lease)
    with pytest.raises(NotAuthorised):
        logins.redeem(tickets[1], lease)


async def test_login__forged_for_a_renter_again_and_again__costs_the_node_few_calls(api: Api) -> None:
    calls: list[str] = []

    async def accepts(account: str, digest: bytes, signature: bytes) -> bool:
        calls.append(account)
        return False

    now, lease = [float(NOW)], api.chain.leases[3]
    logins = Logins(31337, accepts, lambda: now[0])
    origins = (await announced(DEVICE_ID)).of([DEVICE_ID])
    outcomes: list[type[Exception]] = []
    for _ in range(500):
        text = SignIn("provider", lease.renter, "http://provider", 31337, logins.nonce(), NOW, NOW + 60, 3).text()
        try:
            await logins.log_in(text, bytes(65), origins, lease, "203.0.113.1")
        except (NotAuthorised, Unavailable) as error:
            outcomes.append(type(error))
    assert len(calls) == CHECK_BURST
    assert outcomes.count(Unavailable) == 500 - CHECK_BURST
    with pytest.raises(NotAuthorised):
        await logins.log_in(text, bytes(65), origins, lease, "198.51.100.1")


async def test_nonce__older_than_its_time__opens_nothing(api: Api) -> None:
    now = [float(NOW)]
    logins = Logins(31337, api.chain.contract_accepts, lambda: now[0])
    nonce = logins.nonce()
    now[0] += NONCE_VALID_S
    at = int(now[0])
    text = SignIn("provider", address_of(key("renter")), "http://provider", 31337, nonce, at, at + 60, 3).text()
    origins = (await announced(DEVICE_ID)).of([DEVICE_ID])
    with pytest.raises(NotAuthorised, match="nonce"):
        signature = sign_compact(personal_digest(text), key("renter"))
        await logins.log_in(text, signature, origins, api.chain.leases[3], "a")


async def test_origins__odd_or_changed_announcements__are_left_out_and_followed() -> None:
    assert (await announced(b"a", endpoint="http://[")).of([b"a"]) == frozenset()
    assert (await announced(b"a", endpoint="HTTPS://GPU.example:443/")).of([b"a", b"b"]) == {
        Origin("https", "gpu.example", 443)
    }
    reads: list[int] = []

    async def read(final: Block) -> dict[bytes, Any]:
        reads.append(final.number)
        return {}

    origins = AnnouncedOrigins([b"a"], read)
    for number in range(100):
        await origins.follow(Block(number, bytes(32), bytes(32), NOW + number, 1))
    assert reads == [0, 30, 60, 90]
