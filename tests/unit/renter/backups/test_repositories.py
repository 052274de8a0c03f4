"""Where backups go, as people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.renter.backups.repositories import StorageOptions, address_of, key_file, repository_of
from assay.renter.errors import BadInput

AWS = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK-secret"}


@pytest.mark.parametrize(
    ("place", "endpoint", "address"),
    [
        ("s3://kept/a/b/", None, "s3:https://s3.amazonaws.com/kept/a/b"),
        ("s3://kept", "https://minio.example.org:9000/", "s3:https://minio.example.org:9000/kept"),
        ("s3:https://s3.example.org/kept/a", "https://ignored.example.org", "s3:https://s3.example.org/kept/a"),
        ("sftp://me@box.example.org//srv/backups", None, "sftp://me@box.example.org//srv/backups"),
        ("rest:https://kept.example.org/a", None, "rest:https://kept.example.org/a"),
    ],
)
def test_place__as_people_write_it__is_what_restic_takes(place: str, endpoint: str | None, address: str) -> None:
    assert address_of(place, endpoint) == address


@pytest.mark.parametrize(
    "place",
    [
        "/var/backups", "backups", "local:/srv", "rclone:x:y", "s3:https://host/kept/../other", "s3://kept/a b",
        "rest:http://plain.example.org/a", "rest:https://user:pass@host/a", "sftp:me@box:/x", "s3:ftp://host/kept",
        "sftp://me@-oProxyCommand=sh/x", "sftp://-oX@host/x y", "s3:https://host/ke\npt", "",
    ],
)  # fmt: skip
def test_place__that_a_provider_must_not_open__is_refused(place: str) -> None:
    with pytest.raises(BadInput, match="no place for backups"):
        address_of(place)


def test_key__of_a_repository__is_made_once_for_its_owner_alone_and_is_another_for_each(tmp_path: Path) -> None:
    made = [
        repository_of(StorageOptions(f"s3://kept/{name}"), tmp_path, AWS).password.get_secret_value()
        for name in ("a", "a", "b")
    ]
    assert made[0] == made[1] != made[2] and len(made[0]) == 64
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2 and {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert key_file(tmp_path, "s3:https://s3.amazonaws.com/kept/a").read_text().strip() == made[0]


def test_repository__shown_as_text__tells_nothing_secret(tmp_path: Path) -> None:
    found = repository_of(StorageOptions("s3://kept/a"), tmp_path, {**AWS, "AWS_SESSION_TOKEN": "TK-secret"})
    assert "secret" not in (repr(found) + str(found.to_json())).replace("secret=", "").replace("'secret':", "")
    told = found.to_secret_json()
    assert (told["secret"], told["session"], told["user"]) == ("SK-secret", "TK-secret", "AK")


@pytest.mark.parametrize(
    ("place", "environment", "missing"),
    [
        ("s3://kept/a", {}, "AWS_ACCESS_KEY_ID"),
        ("s3://kept/a", {"AWS_ACCESS_KEY_ID": "x"}, "AWS_SECRET_ACCESS_KEY"),
        ("rest:https://h.example.org/a", {"RESTIC_REST_USERNAME": "x"}, "RESTIC_REST_PASSWORD"),
        ("sftp://me@h.example.org/a", {}, "--ssh-key"),
    ],
)
def test_credentials__that_are_missing__are_named(
    place: str, environment: dict[str, str], missing: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=missing):
        repository_of(StorageOptions(place), tmp_path, environment)
