"""Every locked package has a licence that is on the list, or an exception that says why."""

from __future__ import annotations

import json

import pytest

from scripts._docs.licences import LOCK, NPM_LOCKS, LicenceError, Policy, licences_page, locked, npm_packages

POLICY = Policy.load()


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        (["Apache-2.0 AND MIT"], "Apache-2.0 AND MIT"),
        (["EPL-2.0 OR GPL-2.0-or-later"], "EPL-2.0 OR GPL-2.0-or-later"),
        (["UNKNOWN", "ISC License (ISCL)"], "ISC"),
        (["(BSD-2-Clause OR MIT OR Apache-2.0)"], "BSD-2-Clause OR MIT OR Apache-2.0"),
    ],
)
def test_licence__stated_and_allowed__is_that(said: list[str], licence: str) -> None:
    assert POLICY.licence("one", said) == (licence, "")


@pytest.mark.parametrize("said", [[], ["GPL-3.0-only"], ["MIT AND AGPL-3.0-only"], ["LicenseRef-Own"]])
def test_licence__missing_or_not_on_the_list__is_refused_by_name(said: list[str]) -> None:
    with pytest.raises(LicenceError, match="one-package"):
        POLICY.licence("one-package", said)


def test_licence__terms_of_an_owner__need_an_exception_that_says_why() -> None:
    policy = Policy(POLICY.allowed, POLICY.spelled, {"theirs": {"why": "never shipped"}})
    assert policy.licence("theirs", ["LicenseRef-Owner"]) == ("LicenseRef-Owner", "never shipped")
    with pytest.raises(LicenceError):
        policy.licence("theirs", ["GPL-3.0-only"])


def test_page__each_lock__has_all_its_packages_on_it() -> None:
    page = licences_page()
    packages = locked(LOCK.read_text())
    assert len(packages) > 150
    for lock in NPM_LOCKS:
        packages += [(name, version) for name, version, _ in npm_packages(json.loads(lock.read_text()))]
    assert [one for one in packages if f"| {one[0]} | {one[1]} |" not in page] == []


def test_exceptions__each__is_of_a_package_that_is_locked() -> None:
    npm = {name for lock in NPM_LOCKS for name, *_ in npm_packages(json.loads(lock.read_text()))}
    assert set(POLICY.packages) <= {name for name, _ in locked(LOCK.read_text())} | npm
