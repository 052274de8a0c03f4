"""A settings file with every setting in it, explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.chain.new_files import write_new
from assay.validator.errors import SettingsError
from assay.validator.settings import ValidatorSettings


def settings_text(values: dict[str, Any]) -> str:
    """TOML: each setting with its description; those with no value of their own as comments with the default."""
    lines = [
        "# Settings of assay validator. The environment (ASSAY_ and the name in capitals) wins over this file,",
        "",
    ]
    lines[0] += "\n# and the command line over both."
    for name, info in ValidatorSettings.model_fields.items():
        lines.append(f"# {info.description}")
        value = values.get(name)
        if value is None:
            default = info.default
            lines.append(f"#{name} = {_toml(default)}" if default is not None else f"#{name} =")
        else:
            lines.append(f"{name} = {_toml(value)}")
        lines.append("")
    return "\n".join(lines)


def write_settings(path: Path, values: dict[str, Any]) -> None:
    """Writes a new file. Raises SettingsError where it is there already or cannot be written."""
    try:
        write_new(path, settings_text(values).encode(), 0o644)
    except FileExistsError:
        raise SettingsError(f"{path}: exists already: settings files are never overwritten") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written ({error.strerror})") from None


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
