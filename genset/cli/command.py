"""What makes a function a command: the common options, and the session in which it runs.

A command is a function that takes its own arguments and a `session`, and returns an exit code. `common_options` turns
it into what Typer calls: the common options are added to its signature, and the session is opened with their values.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import typer
from typer.core import TyperCommand

from genset.cli.options import Common

_RENAMED = {"--anew": "--reassign", "--link": "--hard-links"}  # old flags, which are answered with the new ones


class Command(TyperCommand):
    """A command that answers an old flag with its new name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments. Ends with exit code 2 for a wrong one."""
        for flag in args:
            if flag in _RENAMED:
                ctx.fail(f"{flag} is now called {_RENAMED[flag]}")
        rest: list[str] = super().parse_args(ctx, args)
        return rest


def common_options(*names: str) -> Callable[[Callable[..., int]], Callable[..., None]]:
    """Give a command the common options of these names, or all of them where none is named."""
    options = [field for field in fields(Common) if not names or field.name in names]

    def decorate(work: Callable[..., int]) -> Callable[..., None]:
        own = [parameter for parameter in inspect.signature(work).parameters.values() if parameter.name != "session"]
        shared = [
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type)
            for field in options
        ]

        def command(**values: Any) -> None:
            from genset.cli.session import Session, execute

            common = Common(**{field.name: values.pop(field.name) for field in options})
            session = Session(work.__module__.rpartition(".")[2], common)
            raise typer.Exit(execute(session, lambda: work(**values, session=session)))

        command.__doc__ = work.__doc__
        command.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *shared)}
        return command

    return decorate


def register(app: typer.Typer, modules: Sequence[Any], panel: str | None = None) -> None:
    """Add the commands of some modules to the program, each under the name of its module."""
    for module in modules:
        name = module.__name__.rpartition(".")[2]
        app.command(name, cls=Command, rich_help_panel=panel, epilog=f"Example: {module.EXAMPLE}")(module.command)
