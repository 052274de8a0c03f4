"""Who holds which role, from every grant and revocation that the contracts ever logged."""

from __future__ import annotations

from typing import Any

from eth_utils import keccak, to_checksum_address

GRANTED_BY_MANAGER = keccak(b"RoleGranted(uint64,address,uint32,uint48,bool)")
REVOKED_BY_MANAGER = keccak(b"RoleRevoked(uint64,address)")
GRANTED = keccak(b"RoleGranted(bytes32,address,address)")
REVOKED = keccak(b"RoleRevoked(bytes32,address,address)")
FUNCTION_ROLE = keccak(b"TargetFunctionRoleUpdated(address,bytes4,uint64)")
BLOCKS_A_REQUEST = 10_000

Holders = dict[int, set[str]]


def logs_of(provider: Any, address: str, first: int) -> list[dict[str, Any]]:
    """All logs of a contract since block `first`, in order."""
    head = int(str(provider.make_request("eth_blockNumber", [])), 16)
    found: list[dict[str, Any]] = []
    for start in range(first, head + 1, BLOCKS_A_REQUEST):
        span = {"fromBlock": hex(start), "toBlock": hex(min(head, start + BLOCKS_A_REQUEST - 1)), "address": address}
        found += provider.make_request("eth_getLogs", [span])
    return found


def holders_of(logs: list[dict[str, Any]]) -> Holders:
    """Accounts by role; roles that nobody holds are left out."""
    holders: Holders = {}
    for log in logs:
        topics = [bytes.fromhex(t[2:]) for t in log["topics"]]
        if topics[0] not in (GRANTED_BY_MANAGER, REVOKED_BY_MANAGER, GRANTED, REVOKED):
            continue
        role, account = int.from_bytes(topics[1]), to_checksum_address(topics[2][12:])
        if topics[0] in (GRANTED_BY_MANAGER, GRANTED):
            holders.setdefault(role, set()).add(account)
        else:
            holders.get(role, set()).discard(account)
    return {role: accounts for role, accounts in holders.items() if accounts}


def function_roles_of(logs: list[dict[str, Any]]) -> dict[tuple[str, bytes], int]:
    """Role that may call (contract, selector), for whatever is not the administrator's alone."""
    roles: dict[tuple[str, bytes], int] = {}
    for log in logs:
        topics = [bytes.fromhex(t[2:]) for t in log["topics"]]
        if topics[0] == FUNCTION_ROLE:
            selector = bytes.fromhex(log["data"][2:])[:4]
            roles[to_checksum_address(topics[1][12:]), selector] = int.from_bytes(topics[2])
    return {key: role for key, role in roles.items() if role != 0}
