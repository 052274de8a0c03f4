"""What a release was built from: an in-toto statement with SLSA's provenance predicate, version 1."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"


def sha256_of(path: Path) -> str:
    """The file's SHA-256, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(files: Sequence[Path]) -> str:
    """A file of lines that `sha256sum --check` reads."""
    return "".join(f"{sha256_of(file)}  {file.name}\n" for file in files)


def provenance(
    files: Sequence[Path],
    *,
    repository: str,
    commit: str,
    tag: str | None,
    locks: Sequence[Path],
    builder: str,
    started: str,
    finished: str,
) -> dict[str, Any]:
    """The statement about `files`. Times are RFC 3339; `builder` names who ran the build."""
    source = {"uri": f"git+{repository}@{tag or commit}", "digest": {"gitCommit": commit}}
    return {
        "_type": STATEMENT,
        "subject": [{"name": file.name, "digest": {"sha256": sha256_of(file)}} for file in files],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": f"{repository}/blob/{commit}/make/release.mk",
                "externalParameters": {"source": source["uri"], "target": "release"},
                "resolvedDependencies": [
                    source,
                    *({"name": lock.name, "digest": {"sha256": sha256_of(lock)}} for lock in locks),
                ],
            },
            "runDetails": {
                "builder": {"id": builder},
                "metadata": {"startedOn": started, "finishedOn": finished},
            },
        },
    }
