"""The settings that every program has, under one name, with one default, and looked for in one order: the command line,
then ASSAY_ variables, then a settings file, then the defaults here.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from assay.settings.text_files import text_of

PREFIX = "ASSAY_"
FILE_VARIABLE = f"{PREFIX}CONFIG"
HOME = Path("~/.assay")


def split(value: Any) -> Any:
    """One or more in a line, separated by commas."""
    lines = [value] if isinstance(value, str) else value
    if not isinstance(lines, (list, tuple)) or not all(isinstance(line, str) for line in lines):
        return value
    return [part.strip() for line in lines for part in line.split(",") if part.strip()]


def expanded(path: Path) -> Path:
    """A path with `~` filled in. Raises ValueError where nobody's home folder is known by it: no HOME and no entry of
    the user in the machine's list, or a user that is not on it."""
    try:
        return path.expanduser()
    except (RuntimeError, KeyError):
        raise ValueError(f"{path}: the home folder in it is unknown here; write the whole path, or set HOME") from None


Several = Annotated[list[str], BeforeValidator(split)]
FilePath = Annotated[Path, AfterValidator(expanded)]
DataDir = Annotated[FilePath, Field(description="Folder of the databases; one process at a time.")]
LogLevel = Literal["debug", "info", "warning", "error"]


class ProgramSettings(BaseSettings):
    """What provider, validator, renter, watcher and market derive theirs from. A subclass names its folder below
    ~/.assay, and the error that it raises.
    """

    model_config = SettingsConfigDict(extra="forbid", frozen=True, validate_default=True)
    fault: ClassVar[type[Exception]]

    rpc: Annotated[Several, Field(min_length=1, description="JSON-RPC addresses, the preferred one first.")] = [
        "http://127.0.0.1:8545"
    ]
    deployment: Annotated[
        FilePath, Field(description="Deployment file with addresses and ABIs, as `ape run deploy` writes it.")
    ] = Path("build/deployments/local.json")
    key_file: Annotated[
        FilePath | None, Field(description="Encrypted key file of the account that signs and pays.")
    ] = None
    password_file: Annotated[
        FilePath | None, Field(description="File with the password; asked for on a terminal where it is absent.")
    ] = None
    data_dir: DataDir = HOME
    final_depth: Annotated[
        int | None,
        Field(ge=0, le=10_000, description="Blocks below the head that count as final; absent: chain's own."),
    ] = None
    poll_seconds: Annotated[float, Field(gt=0, le=60, description="How often the chain is asked for blocks.")] = 0.25
    allow_private: Annotated[
        bool | None,
        Field(description="Whether endpoints may be in private networks; absent: on local chains only."),
    ] = None
    log_level: Annotated[LogLevel, Field(description="Least level of what is logged.")] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment is handed to `load`: made from values alone, settings are these values."""
        return (init_settings,)

    @classmethod
    def load(
        cls, given: Mapping[str, Any], file: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Self:
        """`given` over the environment over `file`, or the one that ASSAY_CONFIG names. Raises the class's `fault`
        naming the setting, its value and the rule."""
        environment = os.environ if environment is None else environment
        return cls.of({**cls.in_file(file, environment), **cls.in_environment(environment), **named(given)})

    @classmethod
    def in_environment(cls, environment: Mapping[str, str]) -> dict[str, Any]:
        """What ASSAY_ variables say."""
        return {name: environment[key] for name in cls.model_fields if environment.get(key := PREFIX + name.upper())}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From these values, and what they leave open. Raises the class's `fault`."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise cls.fault(setting_fault(error)) from None

    @classmethod
    def in_file(cls, file: Path | None, environment: Mapping[str, str]) -> dict[str, Any]:
        """What the settings file says, where there is one. Raises the class's `fault`."""
        if file is None and environment.get(FILE_VARIABLE):
            file = Path(environment[FILE_VARIABLE])
        if file is None:
            return {}
        try:
            return tomllib.loads(text_of(file.read_bytes()))
        except FileNotFoundError:
            raise cls.fault(f"{file}: no such settings file") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise cls.fault(f"{file}: {error}") from None


def named(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those that were given at all."""
    return {name: value for name, value in given.items() if value not in (None, [])}


def setting_fault(error: ValidationError) -> str:
    """The first setting that is off its rules, its value, and the rule."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "settings"
    return f"{where} = {first['input']!r}: {first['msg']}"
