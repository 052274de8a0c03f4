import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from assay.protocol.messages import Challenge, Gossip, Seal
from assay.protocol.signing import expand, recover
from assay.signing.errors import (
    BadRecord,
    DoubleSign,
    RecordInUse,
    SignerUnavailable,
    SittingOut,
)
from assay.signing.interchange import export_record, import_record
from assay.signing.record import SigningRecord
from assay.signing.remote_signer import RemoteSigner
from assay.signing.seat_signer import SeatSigner
from assay.signing.statements import statement_of
from assay.signing.witness import Witness, default_witness
from tests.unit.signing.conftest import DOMAIN, observations, report, seal


@pytest.mark.slow
def test_ten_processes__five_places__one_signature_each(path, tmp_path):
    script = Path(__file__).with_name("racing_process.py")
    racers = [
        subprocess.Popen(
            [sys.executable, script, path, tmp_path / "w", str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(10)
    ]
    assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * 10
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    signed = [racer.communicate(timeout=60)[0].split() for racer in racers]
    assert sorted(epoch for epochs in signed for epoch in epochs) == ["0", "1", "2", "3", "4"]
    record = SigningRecord(path, "0x" + "07" * 20, DOMAIN.separator, Witness(tmp_path / "w"))
    held = {(s.epoch, s.digest) for s in record.statements()}
    for number, epochs in enumerate(signed):
        for epoch in map(int, epochs):
            message = Seal(epoch, 1, 0, bytes(32), bytes([number + 1]) * 32, 3)
            assert (epoch, message.digest(DOMAIN)) in held


@pytest.fixture
def signer(key, path, witness):
    made = SeatSigner(key, DOMAIN, path, -1, witness=witness)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sign_seal", seal()),
        ("sign_observations", observations()),
        ("sign_report", report()),
        ("sign_gossip", Gossip(1, 1, "instant", b"\1" * 32)),
        ("sign_challenge", Challenge(1, b"\1" * 32, b"\2" * 32, "0x" + "11" * 20, b"\3" * 32)),
    ],
)
async def test_sign__each_message__by_the_seat(signer, key, name, message):
    assert recover(message.digest(DOMAIN), await getattr(signer, name)(message)) == key.address


async def test_sign__second_statement__no_signature(signer):
    await signer.sign_seal(seal())
    with pytest.raises(DoubleSign):
        await signer.sign_seal(seal(root=2))


async def test_sign__record_cannot_be_written__no_signature(signer, monkeypatch):
    signed = []
    monkeypatch.setattr(type(signer._signer), "sign", lambda *a: signed.append(a))
    signer.record._db.execute("PRAGMA query_only = ON")
    with pytest.raises(Exception, match=r"readonly|read-only"):
        await signer.sign_seal(seal())
    assert signed == []


def test_start__beside_a_living_copy__refused_and_named(signer, key, path, witness):
    with pytest.raises(RecordInUse, match=r"process \d+ signs with 0x"):
        SeatSigner(key, DOMAIN, path, -1, witness=witness)


def test_start__beside_a_living_copy_with_a_folder_of_its_own__refused(signer, key, path, witness, tmp_path):
    with pytest.raises(RecordInUse, match=r"process \d+ signs with 0x"):
        SeatSigner(key, DOMAIN, tmp_path / "elsewhere" / path.name, -1, witness=witness)


async def test_start__after_the_first_has_ended__allowed(signer, key, path, witness):
    before = await signer.sign_seal(seal(epoch=3))
    signer.close()
    second = SeatSigner(key, DOMAIN, path, 3, witness=witness)
    assert await second.sign_seal(seal(epoch=3)) == before
    assert await second.sign_seal(seal(epoch=4)) != before


async def test_start__first_time_in_a_running_epoch__sat_out(key, path, witness):
    signer = SeatSigner(key, DOMAIN, path, 5, witness=witness)
    with pytest.raises(SittingOut):
        await signer.sign_seal(seal(epoch=5))
    assert await signer.sign_seal(seal(epoch=6))


async def test_export__then_import__signed_there_is_signed_here(signer, key, tmp_path):
    await signer.sign_seal(seal(epoch=3))
    text = export_record(signer.record)
    other = SigningRecord(tmp_path / "o", key.address, DOMAIN.separator, Witness(tmp_path / "ow"))
    assert import_record(other, text, 4) == 1
    assert import_record(other, text, 4) == 0
    with pytest.raises(DoubleSign):
        other.authorise(statement_of(seal(epoch=3, root=2), DOMAIN))
    with pytest.raises(SittingOut):
        other.authorise(statement_of(seal(epoch=4), DOMAIN))
    other.authorise(statement_of(seal(epoch=5), DOMAIN))


async def test_import__contradiction__nothing_changed(signer, key, tmp_path):
    await signer.sign_seal(seal(epoch=3))
    await signer.sign_report(report(epoch=2))
    other = SigningRecord(tmp_path / "o", key.address, DOMAIN.separator, Witness(tmp_path / "ow"))
    other.authorise(statement_of(seal(epoch=3, root=9), DOMAIN))
    with pytest.raises(DoubleSign, match="two records"):
        import_record(other, export_record(signer.record), 4)
    assert len(other.statements()) == 1 and other.floor == -1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"version": 2}, "not an export"),
        ({"owner": "x"}, "export is of x"),
        ({"floor": None}, "lacks"),
        ({"statements": [{}]}, "statement 0"),
        ({"statements": [5]}, "statement 0"),
    ],
)
def test_import__malformed__says_what(signer, change, complaint):
    data = json.loads(export_record(signer.record)) | change
    with pytest.raises(BadRecord, match=complaint):
        import_record(signer.record, json.dumps(data), 0)


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_import__no_export__says_so(signer, text):
    with pytest.raises(BadRecord):
        import_record(signer.record, text, 0)


def remote(key, answer):
    return RemoteSigner("https://signer", key.address, transport=httpx2.MockTransport(answer))


def typed_data_signature(request, private_key=b"\x07" * 32):
    _, data = json.loads(request.content)["params"]
    return bytes(Account.sign_message(encode_typed_data(full_message=data), private_key).signature)


def test_remote_signer__signs__same_bytes_as_the_key(key):
    def answer(request):
        return httpx2.Response(200, json={"id": 1, "result": "0x" + typed_data_signature(request).hex()})

    assert remote(key, answer).sign(seal(), DOMAIN) == key.sign(seal(), DOMAIN)
    assert len(expand(key.sign(seal(), DOMAIN))) == 65


def test_remote_signer__other_key_answers__refused(key):
    def answer(request):
        signature = typed_data_signature(request, b"\x09" * 32)
        return httpx2.Response(200, json={"id": 1, "result": "0x" + signature.hex()})

    with pytest.raises(SignerUnavailable, match="signed as"):
        remote(key, answer).sign(seal(), DOMAIN)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"error": {"message": "locked"}}', b'{"result": "0x12"}', b'{"result": 5}',
             b'{"result": "0x' + b"00" * 65 + b'"}', b"x" * 100_000],
)  # fmt: skip
def test_remote_signer__garbage__unavailable(key, body):
    with pytest.raises(SignerUnavailable):
        remote(key, lambda request: httpx2.Response(200, content=body)).sign(seal(), DOMAIN)


def test_remote_signer__gone__unavailable(key):
    def answer(request):
        raise httpx2.ConnectError("refused")

    with pytest.raises(SignerUnavailable):
        remote(key, answer).sign(seal(), DOMAIN)


def test_remote_signer__knows_the_older_method_only__is_asked_by_it_from_then_on(key):
    asked = []

    def answer(request):
        asked.append(json.loads(request.content)["method"])
        if asked[-1] == "eth_signTypedData_v4":
            return httpx2.Response(200, json={"id": 1, "error": {"code": -32601, "message": "no such method"}})
        return httpx2.Response(200, json={"id": 1, "result": "0x" + typed_data_signature(request).hex()})

    signer = remote(key, answer)
    assert signer.sign(seal(), DOMAIN) == signer.sign(seal(), DOMAIN) == key.sign(seal(), DOMAIN)
    assert asked == ["eth_signTypedData_v4", "eth_signTypedData", "eth_signTypedData"]


@pytest.mark.parametrize("url", ["http://signer.example", "ftp://127.0.0.1", "signer", "http://127.0.0.1.example"])
def test_remote_signer__address_that_would_be_read_by_others__refused(key, url):
    with pytest.raises(SignerUnavailable, match="https"):
        RemoteSigner(url, key.address)


async def test_seat__remote_signer_slow_and_once_gone__loop_goes_on_and_statement_is_recorded_once(
    key, path, witness, monkeypatch
):
    monkeypatch.setattr("assay.signing.seat_signer.RETRY_S", (0.0,))
    calls, ticks = [], []

    def answer(request):
        calls.append(1)
        time.sleep(0.05)
        if len(calls) == 1:
            raise httpx2.ConnectError("refused")
        return httpx2.Response(200, json={"id": 1, "result": "0x" + typed_data_signature(request).hex()})

    seat = SeatSigner(remote(key, answer), DOMAIN, path, -1, witness=witness)

    async def tick():
        while True:
            ticks.append(1)
            await asyncio.sleep(0.005)

    ticking = asyncio.create_task(tick())
    assert await seat.sign_seal(seal()) == key.sign(seal(), DOMAIN)
    ticking.cancel()
    assert len(ticks) > 3
    assert len(seat.record.statements()) == 1
    with pytest.raises(DoubleSign):
        await seat.sign_seal(seal(root=2))
    seat.close()


TRANSACTION = {
    "type": 2, "chainId": 31_337, "nonce": 5, "to": "0x" + "11" * 20, "data": b"\1\2", "value": 7, "gas": 50_000,
    "maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 10**9,
}  # fmt: skip


def signing_with(changes=None, secret=b"\x07" * 32):
    """A remote signer's answer: what it was asked to sign, with changes."""

    def answer(request):
        asked = json.loads(request.content)["params"][0]
        numbers = ("chainId", "nonce", "value", "gas", "maxFeePerGas", "maxPriorityFeePerGas")
        fields = {name: int(asked[name], 16) for name in numbers}
        fields |= {"type": 2, "to": asked["to"], "data": asked["data"]} | (changes or {})
        raw = Account.sign_transaction(fields, secret).raw_transaction
        return httpx2.Response(200, json={"id": 1, "result": "0x" + raw.hex()})

    return answer


def test_remote_signer__transaction__same_bytes_as_the_key(key):
    assert remote(key, signing_with()).sign_transaction(TRANSACTION) == key.sign_transaction(TRANSACTION)


@pytest.mark.parametrize(
    "changes",
    [{"nonce": 6}, {"value": 8}, {"to": "0x" + "22" * 20}, {"data": "0x0103"}, {"maxFeePerGas": 4 * 10**9},
     {"chainId": 1}, {"gas": 60_000}, {"accessList": [{"address": "0x" + "22" * 20, "storageKeys": []}]}],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_remote_signer__transaction_changed__refused(key, changes):
    with pytest.raises(SignerUnavailable, match=r"changed|added"):
        remote(key, signing_with(changes)).sign_transaction(TRANSACTION)


def test_remote_signer__transaction_of_another_key__refused(key):
    with pytest.raises(SignerUnavailable, match="signed as"):
        remote(key, signing_with(secret=b"\x09" * 32)).sign_transaction(TRANSACTION)


@pytest.mark.parametrize("result", ["0x", "0x02", "0x02c0", "zz", None, 5, {"raw": "0x"}])
def test_remote_signer__no_transaction__unavailable(key, result):
    made = remote(key, lambda request: httpx2.Response(200, json={"id": 1, "result": result}))
    with pytest.raises(SignerUnavailable):
        made.sign_transaction(TRANSACTION)


def test_default_witness__systemd_runtime_directory__used(monkeypatch, tmp_path, key):
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    assert tmp_path in default_witness(key.address, DOMAIN.separator).path.parents
