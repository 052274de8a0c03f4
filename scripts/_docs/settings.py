"""The reference of the settings, from the classes that hold them."""

from __future__ import annotations

from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from assay.market.settings import MarketSettings
from assay.provider.settings import ProviderSettings
from assay.relay.settings import RelaySettings
from assay.renter.settings import RenterSettings
from assay.settings.base import PREFIX, ProgramSettings
from assay.validator.settings import ValidatorSettings
from assay.watcher.settings import WatcherSettings

PREFACE = """# Settings

Every setting of every program, written from the code by `make reference`. A program takes a setting from the command
line, else from the environment, else from a TOML file (`--config`, or `ASSAY_CONFIG`), else the default. A dash means
that there is none.
"""
PROGRAMS: dict[str, tuple[str, type[ProgramSettings]]] = {
    "Renter": ("`assay search`, `rent` and the other commands of a renter", RenterSettings),
    "Provider": ("`assay provider …`", ProviderSettings),
    "Validator": ("`assay validator …`", ValidatorSettings),
    "Watcher": ("`assay watch`", WatcherSettings),
    "Market": ("`assay market …`", MarketSettings),
    "Relay": ("`assay relay run`", RelaySettings),
}
HEADER = "| Setting | Environment | Default | Limits | Meaning |\n|---|---|---|---|---|\n"


def settings_page() -> str:
    """Markdown of all settings: those of every program first, then what each adds."""
    shared = ProgramSettings.model_fields
    text = PREFACE + "\n## All programs\n\n" + HEADER
    text += "".join(_row(name, field, ProgramSettings) for name, field in shared.items() if name != "data_dir")
    for title, (commands, kind) in PROGRAMS.items():
        own = {name: f for name, f in kind.model_fields.items() if name not in shared or _differs(f, shared[name])}
        text += f"\n## {title}\n\n{commands}\n\n{HEADER}"
        text += "".join(_row(name, field, kind) for name, field in own.items())
    return text


def _differs(field: FieldInfo, other: FieldInfo) -> bool:
    return (field.default, field.description) != (other.default, other.description)


def _row(name: str, field: FieldInfo, kind: type[ProgramSettings]) -> str:
    if not field.description:
        raise ValueError(f"{kind.__name__}.{name} has no description")
    meaning = field.description.replace("|", r"\|")
    return f"| `{name}` | `{PREFIX}{name.upper()}` | {_default(field)} | {_limits(name, kind)} | {meaning} |\n"


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or value in ([], ""):
        return "–"
    return f"`{', '.join(map(str, value))}`" if isinstance(value, list) else f"`{value}`"


def _limits(name: str, kind: type[ProgramSettings]) -> str:
    schema = kind.model_json_schema()["properties"][name]
    of = next((part for part in schema.get("anyOf", []) if part.get("type") != "null"), schema)
    texts = [
        f"{sign} {_number(of[key])}"
        for key, sign in (("exclusiveMinimum", ">"), ("minimum", "≥"), ("exclusiveMaximum", "<"), ("maximum", "≤"))
        if key in of
    ]
    if "enum" in of:
        texts.append(", ".join(f"`{value}`" for value in of["enum"]))
    if "pattern" in of:
        texts.append("`" + of["pattern"].replace("|", r"\|") + "`")
    return ", ".join(texts) or "–"


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else str(value)
