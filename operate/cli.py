"""The table of contents of ``sentry-ado``: every command, under the heading where a person looks for it.

To add a command, write a function that takes a Desk into ``operate/commands``, and name it here.
"""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from operate.commands import connect, doctor, hooks, looking, mending, moving, replay, settings, taking_over
from operate.desk import operating
from shared.version import VERSION

SET_UP, LOOK, MEND, MOVE = "Set up", "Look", "Mend", "Move"

Command = Callable[..., None]
COMMANDS: tuple[tuple[str, str, Command], ...] = (
    (SET_UP, "connect", connect.connect),
    (SET_UP, "doctor", doctor.doctor),
    (LOOK, "status", looking.status),
    (LOOK, "links", looking.links),
    (LOOK, "events", looking.events),
    (LOOK, "explain", looking.explain),
    (MEND, "link", mending.link),
    (MEND, "unlink", mending.unlink),
    (MEND, "retry", mending.retry),
    (MEND, "copy", mending.copy),
    (MOVE, "export", moving.export),
    (MOVE, "import", moving.import_),
    (MOVE, "adopt", taking_over.adopt),
    (MOVE, "rebuild", taking_over.rebuild),
    (MOVE, "back-link", taking_over.back_link),
)
GROUPS: tuple[tuple[str, str, str, tuple[tuple[str, Command], ...]], ...] = (
    (
        SET_UP,
        "hooks",
        "List, create, repair, delete the subscriptions in Azure DevOps; rotate their secret.",
        (
            ("list", hooks.list_hooks),
            ("create", hooks.create),
            ("repair", hooks.repair),
            ("delete", hooks.delete),
            ("rotate", hooks.rotate),
        ),
    ),
    (
        SET_UP,
        "settings",
        "Show, edit, compare and apply an organization's document.",
        (
            ("show", settings.show),
            ("edit", settings.edit),
            ("diff", settings.diff),
            ("apply", settings.apply),
            ("what-if", settings.what_if),
        ),
    ),
    (
        MEND,
        "replay",
        "Messages that failed five times: list them, work on them again, discard them.",
        (("list", replay.list_messages), ("run", replay.run), ("discard", replay.discard)),
    ),
)


def _new_app(help_text: str) -> typer.Typer:
    return typer.Typer(
        name="sentry-ado",
        help=help_text,
        no_args_is_help=True,
        rich_markup_mode="markdown",
        # It would show the values of variables, the key among them.
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(VERSION)
        raise typer.Exit


app = _new_app("Keep Sentry issues and Azure DevOps work items in step.")


@app.callback()
def _everywhere(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Keep Sentry issues and Azure DevOps work items in step."""


for heading, name, command in COMMANDS:
    app.command(name, rich_help_panel=heading)(operating(command))
for heading, name, help_text, commands in GROUPS:
    group = _new_app(help_text)
    for sub, command in commands:
        group.command(sub)(operating(command))
    app.add_typer(group, name=name, rich_help_panel=heading)


def main() -> None:
    """Run the command; Ctrl-C ends it with a line and not with a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        sys.exit(130)
