"""Many devices at once: one deposit of stake, then all enrolments in flight together; and consents, by which a host
whose provider's key is elsewhere has its devices enrolled.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.chain.contracts.devices import DeviceDirectory, DeviceStatus, enrol_nonce
from assay.chain.contracts.operators import OperatorScope
from assay.chain.contracts.profiles import read_profile
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain, ContractCall
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.hexadecimal import HexadecimalError, parse_address, parse_bytes32, parse_signature, to_hex
from assay.protocol.messages import Enrol
from assay.protocol.signing import SignatureError
from assay.protocol.specification import parse_specification, specification_hash
from assay.provider.connection import Sending
from assay.provider.devices.enrolment import Announcement, checked_endpoint, stake_calls
from assay.provider.devices.specifications import Specifications
from assay.provider.errors import BadProviderSetting, ProviderError

MAX_CONSENTS = 1 << 20  # bytes of a file of them
IN_FLIGHT = 16


@dataclass(frozen=True)
class Consent:
    """A device key's word that it is enrolled by one provider as what the specification says."""

    device_key: str
    profile: int
    specification: Mapping[str, Any]
    announcement: Announcement
    signature: bytes

    def call(self) -> ContractCall:
        described, where = specification_hash(self.specification), self.announcement
        arguments = (self.device_key, self.profile, described, where.endpoint, where.tls_fingerprint, self.signature)
        return ContractCall("DeviceRegistry", "enrol", arguments)

    def to_json(self) -> dict[str, Any]:
        return {
            "deviceKey": self.device_key,
            "profile": self.profile,
            "specification": dict(self.specification),
            "endpoint": self.announcement.endpoint,
            "tlsFingerprint": to_hex(self.announcement.tls_fingerprint),
            "signature": to_hex(self.signature),
        }


@dataclass(frozen=True)
class EnrolmentBatch:
    """`first` in turn, then `together`, each by its name. `standing` are devices that need nothing any more."""

    first: tuple[tuple[str, ContractCall], ...]
    together: tuple[tuple[str, ContractCall], ...]
    enrolled: tuple[bytes, ...]
    standing: tuple[bytes, ...]

    @property
    def calls(self) -> list[ContractCall]:
        return [call for _, call in (*self.first, *self.together)]


async def consent_of(
    chain: Chain, provider: str, key: Key, profile: int, where: Announcement, specification: Mapping[str, Any]
) -> Consent:
    """The key's consent, for its next enrolment alone. Raises ChainError."""
    message = Enrol(provider, profile, specification_hash(specification), await enrol_nonce(chain, key.address))
    where = Announcement(checked_endpoint(where.endpoint), where.tls_fingerprint)
    return Consent(key.address, profile, specification, where, key.sign(message, chain.domain("DeviceRegistry")))


async def enrolment_batch(chain: Chain, provider: str, consents: Sequence[Consent]) -> EnrolmentBatch:
    """What enters these devices in the registry, or announces anew those that stand there with another endpoint.

    Raises ProviderError for a consent that its key has not signed, a retired device, missing stake; ChainError.
    """
    ids = [device_id_of(provider, consent.device_key) for consent in consents]
    statuses = [DeviceStatus((await chain.call("DeviceRegistry", "device", one, at="latest")).status) for one in ids]
    standing_now = DeviceStatus.ACTIVE in statuses
    announced = await DeviceDirectory(chain).refresh(await chain.head()) if standing_now else {}
    needed, enrolled, standing, together = 0, [], [], []
    for consent, device_id, status in zip(consents, ids, statuses, strict=True):
        where, name = consent.announcement, to_hex(device_id)[:10]
        if status is DeviceStatus.NONE:
            await _require_signed(chain, provider, consent)
            needed += (await read_profile(chain, consent.profile, at="latest")).stake
            together.append((f"enrol device {name}", consent.call()))
            enrolled.append(device_id)
        elif status is not DeviceStatus.ACTIVE:
            raise ProviderError(
                f"device {to_hex(device_id)} (key {consent.device_key}) is {status.name.lower()}: move its key file "
                "away, so that its card gets a new key"
            )
        else:
            standing.append(device_id)
            known = announced[device_id]
            if (known.endpoint, known.tls_fingerprint) != (where.endpoint, where.tls_fingerprint):
                arguments = (device_id, where.endpoint, where.tls_fingerprint)
                together.append((f"set endpoint of {name}", ContractCall("DeviceRegistry", "setEndpoint", arguments)))
    first = await stake_calls(chain, provider, needed) if needed else []
    return EnrolmentBatch(tuple(first), tuple(together), tuple(enrolled), tuple(standing))


async def send_batch(at_hand: Sending, batch: EnrolmentBatch, tell: Callable[[str], None]) -> list[tuple[str, int]]:
    """Sends it, several in flight; (name, gas) of each. What was sent before a crash is settled first, and the next
    batch leaves it out. Raises BadSetting for an operator's key where stake is needed, Unavailable without the scope,
    ChainError of the first that failed, when all are through.
    """
    authority = at_hand.authority
    if authority.is_operator and batch.enrolled:
        raise BadProviderSetting(
            f"{authority.signer} is an operator: only {authority.provider} itself can stake for new devices; write "
            "their consents with --write-consents FILE, and enrol with --consents FILE where its key is"
        )
    if batch.together:
        await authority.require(OperatorScope.ENDPOINT, "announce endpoints")
    done = []
    for name, call in batch.first:
        tell(f"{name}…")
        done.append((name, (await at_hand.sender.send(call)).gas_used))
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def one(name: str, call: ContractCall) -> tuple[str, int]:
        async with gate:
            receipt = await at_hand.sender.send(call)
        tell(f"{name}: done")
        return name, receipt.gas_used

    results = await asyncio.gather(*(one(*named) for named in batch.together), return_exceptions=True)
    failed = [result for result in results if isinstance(result, BaseException)]
    if failed:
        tell(f"{len(failed)} of {len(results)} failed; run the same command again to do the rest")
        raise failed[0]
    return done + [result for result in results if not isinstance(result, BaseException)]


def keep_specifications(
    provider: str, consents: Sequence[Consent], new: Collection[bytes], kept: Specifications
) -> None:
    """Those of the new devices, before anything is sent: the chain has their hashes only."""
    for consent in consents:
        if (device_id := device_id_of(provider, consent.device_key)) in new:
            kept.keep(device_id, consent.specification)


async def not_enrolled(chain: Chain, provider: str, consents: Sequence[Consent]) -> list[Consent]:
    """Those whose devices are in the registry in no way. Raises ChainError."""
    ids = [device_id_of(provider, one.device_key) for one in consents]
    rows = [await chain.call("DeviceRegistry", "device", one, at="latest") for one in ids]
    return [one for one, row in zip(consents, rows, strict=True) if DeviceStatus(row.status) is DeviceStatus.NONE]


def write_consents(path: Path, chain_id: int, provider: str, consents: Sequence[Consent]) -> None:
    """A file to carry to where the provider's key is; nothing in it is secret. Raises ProviderError."""
    body = {"chainId": chain_id, "provider": provider, "consents": [one.to_json() for one in consents]}
    try:
        path.write_text(json.dumps(body, indent=1) + "\n")
    except OSError as error:
        raise ProviderError(f"{path}: cannot be written: {error.strerror}") from None


def read_consents(path: Path, chain_id: int, provider: str) -> list[Consent]:
    """Consents to this provider on this chain. Raises ProviderError for any other file."""
    try:
        if path.stat().st_size > MAX_CONSENTS:
            raise ValueError(f"larger than {MAX_CONSENTS} bytes")
        body = json.loads(path.read_text())
        found = [_consent(one) for one in body["consents"]]
        meant = (body["chainId"], parse_address(body["provider"]))
    except OSError as error:
        raise ProviderError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError, HexadecimalError, RecursionError) as error:
        raise ProviderError(f"{path}: no file of consents: {str(error)[:200]}") from None
    if meant != (chain_id, parse_address(provider)):
        raise ProviderError(f"{path}: consents to {meant[1]} on chain {meant[0]}, not to {provider} on {chain_id}")
    return found


def _consent(one: Any) -> Consent:
    specification = one["specification"]
    parse_specification(specification)
    profile = one["profile"]
    if isinstance(profile, bool) or not isinstance(profile, int) or not 0 < profile < 1 << 32:
        raise ValueError("profile: a number is needed")
    where = Announcement(checked_endpoint(str(one["endpoint"])), parse_bytes32(one["tlsFingerprint"], "tlsFingerprint"))
    return Consent(parse_address(one["deviceKey"]), profile, specification, where, parse_signature(one["signature"]))


async def _require_signed(chain: Chain, provider: str, consent: Consent) -> None:
    described, nonce = specification_hash(consent.specification), await enrol_nonce(chain, consent.device_key)
    message = Enrol(provider, consent.profile, described, nonce)
    try:
        signer = message.recover_signer(chain.domain("DeviceRegistry"), consent.signature)
    except SignatureError as error:
        raise ProviderError(f"consent of {consent.device_key}: {error}") from None
    if signer.lower() != consent.device_key.lower():
        raise ProviderError(
            f"consent of {consent.device_key}: signed by {signer}, or for another provider, profile or time: have the "
            "host write it again"
        )
