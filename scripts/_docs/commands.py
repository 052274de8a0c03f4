"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer

from assay.cli.app import app

PREFACE = """# Commands

Every command of `assay`, written from the code by `make reference`. `assay COMMAND --help` prints the same. Many
options are [settings](settings.md) too, which the environment or a file may give.
"""
# An option of so many commands is explained once.
COMMON = 15
HEADER = "\n| Argument or option | |\n|---|---|\n"


@dataclass(frozen=True)
class Entry:
    """A command: its words, help, usage, and (name, help) of its arguments and options; a group has no usage."""

    words: str
    text: str
    usage: str | None
    parameters: tuple[tuple[str, str], ...]


def commands_page() -> str:
    """Markdown of every command with its arguments and options."""
    root = typer.main.get_command(app)
    entries = list(_entries(root, root.context_class(root, info_name="assay")))
    counts = Counter(parameter for entry in entries for parameter in entry.parameters)
    common = [parameter for parameter, count in counts.items() if count >= COMMON]
    text = f"{PREFACE}\n## Common options\n\nCommands that take one of these name it.\n{HEADER}"
    text += "".join(_row(*parameter) for parameter in common)
    return text + "".join(f"\n{_section(entry, set(common))}" for entry in entries)


def _entries(command: Any, context: Any) -> Iterator[Entry]:
    groups = hasattr(command, "list_commands")
    if context.parent:
        records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
        shown = tuple((name, help_) for name, help_ in filter(None, records) if name != "--help" and not groups)
        usage = None if groups else f"{context.command_path} {' '.join(command.collect_usage_pieces(context))}"
        yield Entry(context.command_path, command.help or "", usage, shown)
    for name in command.list_commands(context) if groups else ():
        child = command.get_command(context, name)
        if not child.hidden:
            yield from _entries(child, command.context_class(child, info_name=name, parent=context))


def _section(entry: Entry, common: set[tuple[str, str]]) -> str:
    depth = entry.words.count(" ")
    text = f"{'#' * (1 + depth)} `{entry.words}`\n\n{_plain(entry.text)}\n"
    if entry.usage:
        text += f"\n```\n{entry.usage}\n```\n"
    rows = "".join(_row(*parameter) for parameter in entry.parameters if parameter not in common)
    names = [name.split(" <")[0].split(", ")[-1] for name, help_ in entry.parameters if (name, help_) in common]
    text += HEADER + rows if rows else ""
    return text + (f"\n[Common](#common-options): {', '.join(f'`{name}`' for name in names)}\n" if names else "")


def _row(name: str, help_: str) -> str:
    return f"| `{_one_line(name)}` | {_one_line(help_).replace('<', '&lt;')} |\n"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _plain(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.replace("\b", "").split("\n\n"))
