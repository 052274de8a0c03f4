"""What restic is called with, and what its words come to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay.provider.backups import restic
from assay.provider.backups.progress import BackupProgress, LastBackup, after_failure, after_success
from assay.provider.backups.room import missing_room

S3 = {"address": "s3:https://s3.example.org/kept/a", "user": "AK", "secret": "SK-secret", "password": "pass phrase"}


def test_opening__of_a_bucket__has_its_secrets_in_variables_and_none_in_options() -> None:
    found = restic.opening({**S3, "session": "token", "region": "eu-1"})
    assert found.options == () and found.files == {}
    assert found.environment == {
        "RESTIC_PASSWORD": "pass phrase",
        "RESTIC_REPOSITORY": S3["address"],
        "AWS_ACCESS_KEY_ID": "AK",
        "AWS_SECRET_ACCESS_KEY": "SK-secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_DEFAULT_REGION": "eu-1",
    }
    assert "SK-secret" not in repr(found)


def test_opening__of_a_rest_server__has_the_login_in_the_address_as_it_must_be_written() -> None:
    asked = {"address": "rest:https://kept.example.org/a", "user": "me", "secret": "a/b@c", "password": "p"}
    assert restic.opening(asked).environment["RESTIC_REPOSITORY"] == "rest:https://me:a%2Fb%40c@kept.example.org/a"


def test_opening__of_sftp__pins_the_host_key_and_keeps_the_key_in_memory() -> None:
    asked = {"address": "sftp://me@box.example.org:2222/backups", "secret": "KEY\n", "password": "p"}
    found = restic.opening({**asked, "hostKey": "ssh-ed25519 AAAA"})
    assert found.files == {"/tmp/key": "KEY\n", "/tmp/known_hosts": "[box.example.org]:2222 ssh-ed25519 AAAA\n"}
    command = found.options[1]
    assert "StrictHostKeyChecking=yes" in command and command.endswith("box.example.org -s sftp")
    assert "KEY" not in command.replace("HostKey", "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Fatal: wrong password or no key found", "does not open this repository"),
        ("Fatal: unable to open config file: Stat: The specified bucket does not exist", "no such bucket"),
        ("Fatal: unable to open config file: Stat: Access Denied.", "refuses these credentials"),
        ("Fatal: client.BucketExists: The AWS Access Key Id you provided does not exist in our records.", "refuses"),
        ('Fatal: Stat: Get "http://x/": dial tcp 10.0.0.1:80: connect: connection refused', "cannot be reached"),
        ("Save(<data/00>) returned error, retrying: no space left on device", "no room"),
        ("Fatal: something else", "otherwise (something else)"),
    ],
)
def test_reason__of_what_restic_says__is_what_to_do(words: str, told: str) -> None:
    assert told in restic.reason_of(words, "otherwise")


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        ("Fatal: unable to open config file: Stat: The specified key does not exist.", True),
        ("Fatal: unable to open config file: Lstat: file does not exist", True),
        ("Fatal: unable to open config file: Stat: The specified bucket does not exist", False),
        ("Fatal: unable to open config file: Stat: Access Denied.", False),
        ("Fatal: wrong password or no key found", False),
    ],
)
def test_repository__is_made__only_where_its_place_is_there_and_empty(words: str, absent: bool) -> None:
    assert restic.is_absent(words) is absent


def test_words__with_secrets_in_them__are_shown_without() -> None:
    text = "Get https://me:a%2Fb%40c@host: refused; a/b@c"
    assert restic.without(text, ["a/b@c", ""]) == "Get https://me:***@host: refused; ***"


def test_snapshot__that_is_meant__is_the_newest_of_its_lease_or_the_one_that_is_named() -> None:
    listed = [
        {"id": "b" * 64, "time": "2026-01-02T00:00:00Z", "paths": ["/workspace"], "tags": ["lease-4"]},
        {"id": "a" * 64, "time": "2026-01-01T00:00:00Z", "paths": ["/workspace"], "tags": ["lease-3", "x"]},
        {"id": "c" * 64, "time": "2026-01-03T00:00:00Z", "paths": ["/elsewhere"], "tags": ["lease-3"]},
        {"id": "d" * 64, "time": "2025-01-01T00:00:00Z", "paths": ["/workspace"], "tags": ["lease-x"]},
    ]
    found = restic.snapshots_of(json.dumps(listed))
    assert [one.lease_id for one in found] == [0, 3, 4]
    chosen = [restic.newest(found, "latest", lease) for lease in (None, 3, 9)]
    assert [one and one.id[0] for one in chosen] == ["b", "a", None]
    named = restic.newest(found, "aaaaaaaa", 4)
    assert named is not None and named.lease_id == 3
    assert restic.newest(found, "ffffffff", None) is None
    assert restic.snapshots_of("null") == []


def test_progress__after_failures__keeps_the_last_that_was_whole() -> None:
    last = LastBackup("abc", 1.0, 2.0, 3, 4)
    good = after_success(BackupProgress(every=60), last, 60.0)
    assert (good.state, good.next_at, good.last) == ("waiting", 60.0, last)
    bad = after_failure(after_failure(good, "no", 120.0), "again no", 180.0)
    assert (bad.state, bad.failures, bad.failure, bad.last) == ("waiting", 2, "again no", last)
    assert after_success(bad, last, None).failures == 0
    assert after_failure(BackupProgress(), "no", None).state == "failed"


def test_room__for_a_snapshot__counts_what_it_replaces_and_never_looks_through_a_link(tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    (root / "a").mkdir(parents=True)
    (root / "a/big").write_bytes(b"x" * (1 << 20))
    (tmp_path / "host").mkdir()
    (tmp_path / "host/big").write_bytes(b"x" * (1 << 20))
    (root / "link").symlink_to(tmp_path / "host")
    lines = [{"type": "file", "path": f"/workspace/{name}"} for name in ("a/big", "link/big", "../host/big", "none")]
    asked: list[int] = []

    def listed() -> str:
        asked.append(1)
        return "\n".join([json.dumps({"struct_type": "snapshot"}), *map(json.dumps, lines)])

    assert missing_room(root, 1000, 3, listed) == "" and asked == []
    assert "does not fit" in missing_room(root, 1 << 60, 3, listed) and asked == [1]
    assert "does not fit" in missing_room(root, 1000, 1 << 60, listed)


def test_restore__is_of_the_workspace_alone() -> None:
    arguments = restic.restore_arguments("abc")
    assert arguments[arguments.index("--include") + 1] == "/workspace"
    assert "--one-file-system" in restic.backup_arguments(3) and "lease-3" in restic.backup_arguments(3)


def test_entries__that_could_not_be_made__are_named_and_not_taken_for_the_network() -> None:
    words = (
        "ignoring error for /workspace/disk: Mknod: operation not permitted\nignoring error for /b: x\nFatal: 2 errors"
    )
    assert restic.unrestored(words) == (
        "2 entries of the snapshot could not be restored, the first: /workspace/disk: Mknod: operation not permitted"
    )
    assert "no room" in restic.unrestored("Fatal: write: no space left on device")
