"""A record as JSON, to move a seat to another machine."""

from __future__ import annotations

import json
from typing import Any

from assay.protocol.encoding import EncodingError, unsigned
from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32, to_hex
from assay.signing.errors import BadRecord
from assay.signing.record import SigningRecord
from assay.signing.statements import SigningRequest, StatementKind

FORMAT, VERSION = "assay-signing-record", 1
MAX_TEXT = 256 << 20


def export_record(record: SigningRecord) -> str:
    """The record as JSON. Take it only after the old machine has stopped for good."""
    body = {
        "format": FORMAT,
        "version": VERSION,
        "owner": record.owner,
        "floor": record.floor,
        "statements": [_to_json(s) for s in record.statements()],
    }
    return json.dumps(body, indent=1)


def import_record(record: SigningRecord, text: str, latest_epoch: int) -> int:
    """Merges an export into a record of the same key; how many statements were new.

    Epochs up to `latest_epoch` are sat out: the export may be older than the last signature. Raises
    BadRecord for a malformed or foreign export, DoubleSign where the two contradict each other; then
    nothing was changed.
    """
    data = _parsed(text)
    if data.get("owner") != record.owner:
        raise BadRecord(f"the export is of {str(data.get('owner'))[:120]}, this record is of {record.owner}")
    floor = data.get("floor")
    rows = data.get("statements")
    if not isinstance(floor, int) or not isinstance(rows, list):
        raise BadRecord("the export lacks its floor or its statements")
    statements = [_from_json(row, i) for i, row in enumerate(rows)]
    return record.merge(statements, max(floor, latest_epoch), "the record was imported")


def _parsed(text: str) -> dict[str, Any]:
    if len(text) > MAX_TEXT:
        raise BadRecord(f"the export is longer than {MAX_TEXT} characters")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"the export is not JSON: {error}") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT or data.get("version") != VERSION:
        raise BadRecord(f"not an export of version {VERSION} of {FORMAT}")
    return data


def _to_json(s: SigningRequest) -> dict[str, Any]:
    return {
        "kind": s.kind.value,
        "epoch": s.epoch,
        "setId": s.set_id,
        "round": s.round,
        "scope": to_hex(s.scope),
        "digest": to_hex(s.digest),
    }


def _from_json(row: Any, index: int) -> SigningRequest:
    try:
        return SigningRequest(
            StatementKind(row["kind"]),
            unsigned(row["epoch"], 63),
            unsigned(row["setId"], 32),
            unsigned(row["round"], 32),
            parse_bytes32(row["scope"]),
            parse_bytes32(row["digest"]),
        )
    except (KeyError, TypeError, ValueError, EncodingError, HexadecimalError) as error:
        raise BadRecord(f"statement {index} of the export is malformed: {error}") from None
