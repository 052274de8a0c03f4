"""The proof behind a slash, as its transaction carried it: enough to check it again without asking anybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from assay.market.queries.pages import one
from assay.market.store.tables import devices, epochs, profiles, proof_calls, wrong_elements
from assay.protocol.hexadecimal import to_hex

# (receiver, calldata) -> (function, arguments by name); None for what is no call of the deployment's FraudProofs.
Decode = Callable[[str, bytes], tuple[str, Mapping[str, Any]] | None]


def read_slash_proof(connection: Connection, decode: Decode, transaction: bytes) -> dict[str, Any] | None:
    """Function and arguments of the call, and the element that it settles where it is about one; None where the
    transaction proved nothing, or reached the contract through another.
    """
    call = one(connection, proof_calls, transaction=transaction)
    decoded = decode(call["target"], call["calldata"]) if call else None
    if decoded is None:
        return None
    function, arguments = decoded
    return {
        "transaction": transaction,
        "function": function,
        "arguments": _plain(arguments),
        "element": _element(connection, transaction, arguments) if function == "proveWrongElement" else None,
    }


def _element(connection: Connection, transaction: bytes, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a recomputation needs: the path from the element to the signed result, seeds and shape."""
    commitment, round_, element = arguments["c"], arguments["round"], arguments["element"]
    query = select(wrong_elements).where(wrong_elements.c.transaction == transaction)
    shown = connection.execute(query).mappings().first()
    epoch = one(connection, epochs, epoch=commitment["epoch"])
    device = one(connection, devices, device_id=commitment["deviceId"])
    profile = one(connection, profiles, profile=device["profile"]) if device else None
    if shown is None or epoch is None or profile is None:
        return None
    return {
        "epoch": commitment["epoch"],
        "device_id": commitment["deviceId"],
        "result_root": commitment["resultRoot"],
        "beacon": epoch["beacon"],
        "epoch_seed": epoch["epoch_seed"],
        "profile": {
            "M": profile["m"],
            "N": profile["n"],
            "K": profile["k"],
            "T": profile["t"],
            "chunk": profile["chunk"],
        },
        "t": round_["t"],
        "seed": round_["seed"],
        "root": round_["root"],
        "round_path": list(round_["path"]),
        "i": element["i"],
        "j": element["j"],
        "chunk_bytes": element["chunk"],
        "chunk_path": list(element["path"]),
        "claimed": shown["claimed"],
        "correct": shown["correct"],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, bytes):
        return to_hex(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
