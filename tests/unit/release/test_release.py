"""What a release is made of, and when there is none."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from scripts._release.build import CannotRelease, check_source
from scripts._release.licences import licence_table, licences_of
from scripts._release.provenance import checksums, provenance


@pytest.mark.parametrize(
    ("tag", "changed", "said"),
    [
        (None, "", "has no tag"),
        ("v1.2.4", "", "the tag is v1.2.4, the package's version 1.2.3"),
        ("v1.2.3", " M offchain/assay/__init__.py", "offchain/assay/__init__.py"),
    ],
)
def test_check_source__not_what_the_tag_names__refuses(tag: str | None, changed: str, said: str) -> None:
    with pytest.raises(CannotRelease, match=said):
        check_source(tag, changed, "1.2.3")


def test_check_source__clean_tree_with_its_tag__passes() -> None:
    check_source("v1.2.3", "", "1.2.3")


def test_checksums__read_by_sha256sum__hold_until_a_byte_changes(tmp_path: Path) -> None:
    for name in ("a.whl", "b.tar.gz"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "SHA256SUMS").write_text(checksums(sorted(tmp_path.iterdir())))
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    (tmp_path / "a.whl").write_bytes(b"another")
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 1


def test_provenance__of_a_file__names_its_digest_the_commit_and_the_locks(tmp_path: Path) -> None:
    file, lock = tmp_path / "a.whl", tmp_path / "requirements.lock"
    file.write_bytes(b"wheel")
    lock.write_bytes(b"lock")
    statement = provenance(
        [file],
        repository="https://example.org/assay",
        commit="ab" * 20,
        tag="v1.2.3",
        locks=[lock],
        builder="local",
        started="2026-11-30T09:00:00Z",
        finished="2026-11-30T09:00:20Z",
    )
    assert statement["subject"] == [{"name": "a.whl", "digest": {"sha256": hashlib.sha256(b"wheel").hexdigest()}}]
    source, locked = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert source == {"uri": "git+https://example.org/assay@v1.2.3", "digest": {"gitCommit": "ab" * 20}}
    assert locked["digest"]["sha256"] == hashlib.sha256(b"lock").hexdigest()


def test_licences__named_twice_or_not_at_all__stand_once_or_are_said_to_be_missing() -> None:
    twice = {
        "name": "Zeta",
        "version": "1",
        "licenses": [{"license": {"id": "MIT"}}, {"license": {"name": "License :: OSI Approved :: MIT"}}],
    }
    assert licences_of(twice) == "MIT"
    assert licences_of({"licenses": [{"expression": "Apache-2.0 OR MIT"}]}) == "Apache-2.0 OR MIT"
    table = licence_table({"components": [twice, {"name": "alpha", "version": "2"}]})
    assert table.splitlines()[4:] == ["| alpha | 2 | not stated |", "| Zeta | 1 | MIT |"]
