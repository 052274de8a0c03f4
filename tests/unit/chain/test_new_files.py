"""Files and folders as machines have them: full disks, homes that nobody knows, files of other systems."""

import errno
import logging
import os
from pathlib import Path

import pytest

from assay.chain import key_files, new_files
from assay.chain.certificate import create_certificate, fingerprint_in
from assay.chain.errors import BadCertificate, KeyFileError
from assay.chain.new_files import together, write_new
from assay.renter.contexts import contexts_file, read_contexts
from assay.renter.errors import BadInput
from assay.renter.settings import RenterSettings
from assay.settings.base import expanded


class FullDisk:
    """A disk on which nothing can be made lasting from the `after`th file on."""

    def __init__(self, monkeypatch, after=0):
        self.left, self.sync = after, os.fsync
        monkeypatch.setattr(new_files.os, "fsync", self)

    def __call__(self, handle):
        if self.left <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= 1
        self.sync(handle)


def test_create__full_disk__nothing_left_and_the_next_try_works(tmp_path, monkeypatch):
    path = tmp_path / "keys" / "k.json"
    with monkeypatch.context() as patch:
        FullDisk(patch)
        with pytest.raises(KeyFileError, match=r"No space left on device.*no key was made"):
            key_files.create(path, "password", light=True)
    assert not path.exists()
    key = key_files.create(path, "password", light=True)
    assert key_files.load(path, "password").address == key.address


def test_create__empty_file_left_by_another_program__says_what_to_do(tmp_path):
    path = tmp_path / "k.json"
    path.touch()
    with pytest.raises(KeyFileError, match="is empty: its making broke off, remove it"):
        key_files.create(path, "password", light=True)


def test_create__empty_password__refused(tmp_path):
    with pytest.raises(KeyFileError, match="password is empty"):
        key_files.create(tmp_path / "k.json", "", light=True)
    assert not (tmp_path / "k.json").exists()


@pytest.mark.parametrize("after", [0, 1])
def test_create_certificate__full_disk__neither_file_left(tmp_path, monkeypatch, after):
    with monkeypatch.context() as patch:
        FullDisk(patch, after)
        with pytest.raises(BadCertificate, match="No space left"):
            create_certificate(tmp_path / "tls")
    assert list((tmp_path / "tls").iterdir()) == []
    assert create_certificate(tmp_path / "tls") == fingerprint_in(tmp_path / "tls")


def test_together__second_fails__first_taken_away_and_older_files_kept(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("kept")
    with pytest.raises(FileExistsError), together(old, new):
        write_new(new, b"x")
        write_new(old, b"y")
    assert not new.exists() and old.read_text() == "kept"


@pytest.mark.parametrize(
    "content",
    [
        b"s3cret \xc3\xa9",
        b"s3cret \xc3\xa9\n",
        b"s3cret \xc3\xa9\r\n",
        b"\xef\xbb\xbfs3cret \xc3\xa9\r\nmore\r\n",
        "\ufeffs3cret é\r\n".encode("utf-16-le"),
        "\ufeffs3cret é\n".encode("utf-16-be"),
    ],
)
def test_password__file_of_any_system__the_same_password(tmp_path, content):
    path = tmp_path / "password"
    path.write_bytes(content)
    assert key_files.password(path) == "s3cret é"


@pytest.mark.parametrize("content", ["a b", " a", "a ", "a\x0bb", "a\x85b", "a\u2028b", "a\tb"])
def test_password__odd_characters__all_belong_to_it(tmp_path, content):
    path = tmp_path / "password"
    path.write_text(content + "\n")
    assert key_files.password(path) == content


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", b"\xef\xbb\xbf\r\n", b"\nsecond"])
def test_password__empty__refused(tmp_path, content):
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match="first line is empty"):
        key_files.password(path)


def test_password__no_text_or_no_file__named(tmp_path):
    path = tmp_path / "password"
    path.write_bytes(b"caf\xe9")
    with pytest.raises(KeyFileError, match="is not text"):
        key_files.password(path)
    with pytest.raises(KeyFileError, match="cannot be read"):
        key_files.password(tmp_path)


def test_load__key_file_with_a_byte_order_mark__read(tmp_path):
    path = tmp_path / "k.json"
    key = key_files.create(path, "password", light=True)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert key_files.load(path, "password").address == key.address


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_load__file_that_others_may_read__warned_about(tmp_path, caplog, mode, warned):
    path, secret = tmp_path / "k.json", tmp_path / "password"
    key_files.create(path, "password", light=True)
    secret.write_text("password\n")
    path.chmod(mode)
    secret.chmod(mode)
    with caplog.at_level(logging.WARNING):
        key_files.load(path, key_files.password(secret))
    assert [str(one) in caplog.text for one in (path, secret)] == [warned, warned]
    assert "chmod 600" in caplog.text or not warned


@pytest.fixture
def homeless(monkeypatch):
    """No HOME, and a user id without an entry."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: (_ for _ in ()).throw(KeyError(uid)))


@pytest.mark.parametrize("path", ["~nosuchuser/keys/k.json", "~nosuchuser"])
def test_expanded__user_that_nobody_knows__said_so(path):
    with pytest.raises(ValueError, match="the home folder in it is unknown"):
        expanded(Path(path))


def test_expanded__no_home__said_so_and_other_paths_as_they_are(homeless):
    with pytest.raises(ValueError, match="set HOME"):
        expanded(Path("~/x"))
    assert expanded(Path("/a/~b")) == Path("/a/~b")


def test_settings__no_home__only_the_data_folder_must_be_named(homeless, tmp_path):
    with pytest.raises(BadInput, match=r"data_dir.*set HOME"):
        RenterSettings.load({}, None, {})
    assert RenterSettings.load({"data_dir": tmp_path}, None, {}).data_dir == tmp_path
    assert read_contexts(contexts_file({})).named == {}


@pytest.mark.parametrize("field", ["key_file", "password_file", "deployment"])
def test_settings__path_of_a_user_that_nobody_knows__named(field):
    with pytest.raises(BadInput, match=f"{field} = .*~nosuchuser"):
        RenterSettings.load({field: "~nosuchuser/k.json"}, None, {})


def test_contexts_file__named_at_a_home_that_nobody_has__refused():
    with pytest.raises(BadInput, match="ASSAY_CONTEXTS"):
        contexts_file({"ASSAY_CONTEXTS": "~nosuchuser/contexts.json"})
