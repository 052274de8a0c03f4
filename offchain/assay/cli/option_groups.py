"""Options that several commands take, written once: a dataclass whose fields are options stands in a command's
parameters, and the command line sees its fields."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints


class OptionGroup:
    """Base of the dataclasses that stand for options; every field has a default and an `Annotated[…, typer.Option]`."""


def with_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as typer can read it: each parameter that is an OptionGroup replaced by its fields, at the end."""
    plain: list[inspect.Parameter] = []
    options: list[inspect.Parameter] = []
    groups: dict[str, type[OptionGroup]] = {}
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if isinstance(parameter.annotation, type) and issubclass(parameter.annotation, OptionGroup):
            groups[name] = parameter.annotation
            options += _fields_as_parameters(parameter.annotation)
        else:
            plain.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    def command(**given: Any) -> Any:
        grouped = {
            name: group(**{field: given.pop(field) for field in _names(group)}) for name, group in groups.items()
        }
        return function(**grouped, **given)

    parameters = [*plain, *options]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    command.__doc__, command.__name__ = function.__doc__, function.__name__
    return command


def _names(group: type[OptionGroup]) -> list[str]:
    return [field.name for field in dataclasses.fields(group)]  # type: ignore[arg-type]


def _fields_as_parameters(group: type[OptionGroup]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in dataclasses.fields(group)  # type: ignore[arg-type]
    ]
