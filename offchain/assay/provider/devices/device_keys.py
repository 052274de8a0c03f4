"""Keys of devices, in encrypted files of their own."""

from __future__ import annotations

from pathlib import Path

from assay.chain.key_files import Key, create, load
from assay.provider.runtime.local import LOCAL_CHAIN_IDS


def open_or_create(path: Path, secret: str, chain_id: int) -> Key:
    """The key in `path`, made where there is no such file. Raises KeyFileError."""
    if path.exists():
        return load(path, secret)
    return create(path, secret, light=chain_id in LOCAL_CHAIN_IDS)
