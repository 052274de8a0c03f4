"""The licences of what a release depends on, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OSI = "License :: OSI Approved :: "
MAX_SHOWN = 120


def licences_of(component: Mapping[str, Any]) -> str:
    """What its metadata says, each licence once; empty where it says nothing."""
    said: dict[str, None] = {}
    for one in component.get("licenses", ()):
        licence = one.get("license", {})
        text = one.get("expression") or licence.get("id") or licence.get("name") or ""
        if shown := " ".join(text.removeprefix(OSI).split())[:MAX_SHOWN]:
            said[shown] = None
    return ", ".join(said)


def licence_table(bill: Mapping[str, Any]) -> str:
    """A Markdown table of a CycloneDX bill of materials."""
    rows = sorted(
        (one["name"].lower(), one["name"], one.get("version", ""), licences_of(one)) for one in bill["components"]
    )
    lines = [f"| {name} | {version} | {licence or 'not stated'} |" for _, name, version, licence in rows]
    return "\n".join(["# Licences of dependencies", "", "| Package | Version | Licence |", "|---|---|---|", *lines, ""])
