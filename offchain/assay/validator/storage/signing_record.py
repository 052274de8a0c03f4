"""Moving a seat's record of what it signed from one machine to another."""

from __future__ import annotations

from pathlib import Path

from assay.chain.deployment import Deployment
from assay.signing.interchange import export_record, import_record
from assay.signing.seat_signer import SeatSigner
from assay.validator.errors import SettingsError
from assay.validator.process import SignerKey
from assay.validator.settings import ValidatorSettings

NO_EPOCH = -1
MAX_BYTES = 256 << 20


def record_path(settings: ValidatorSettings, key: SignerKey) -> Path:
    """Where the record of a key lies."""
    return settings.data_dir / f"signing-{key.address.lower()}.sqlite"


def export(settings: ValidatorSettings, key: SignerKey, out: Path) -> None:
    """Writes the record to a new file. Raises RecordInUse beside a living validator, SettingsError."""
    if not record_path(settings, key).exists():
        raise SettingsError(f"{record_path(settings, key)}: nothing was signed with {key.address} in this folder")
    signer = _opened(settings, key)
    try:
        with out.open("x") as file:
            file.write(export_record(signer.record))
    except OSError as error:
        raise SettingsError(f"{out}: cannot be written ({error.strerror})") from None
    finally:
        signer.close()


def take_over(settings: ValidatorSettings, key: SignerKey, file: Path, latest_epoch: int) -> int:
    """Merges an export; how many statements were new. Raises SigningError, SettingsError."""
    try:
        if file.stat().st_size > MAX_BYTES:
            raise SettingsError(f"{file}: longer than {MAX_BYTES} bytes")
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read ({error})") from None
    signer = _opened(settings, key)
    try:
        return import_record(signer.record, text, latest_epoch)
    finally:
        signer.close()


def _opened(settings: ValidatorSettings, key: SignerKey) -> SeatSigner:
    domain = Deployment.load(settings.deployment).domain("EpochOracle")
    return SeatSigner(key, domain, record_path(settings, key), NO_EPOCH)
