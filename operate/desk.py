"""What every command works with: the app, the organization, the screen, and whether anybody can be asked."""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Annotated, Any

import requests
import typer
from rich.progress import Progress
from rich.prompt import Confirm, Prompt

from operate.client import Client, segment
from operate.errors import Ended, NotThere, WrongUsage
from operate.shown import Output, Screen
from operate.target import address_of, key_of

_APP = "The app: its name, or its address."
_KEY = "A function key or host key of the app. Better in SENTRY_ADO_KEY: a command line is seen by others."
_GROUP = "The app's resource group: address and key are asked of az, and no key is typed."
EVERYWHERE = {
    "app": Annotated[
        str | None, typer.Option("--app", envvar="SENTRY_ADO_APP", metavar="NAME|URL", help=_APP)
    ],
    "key": Annotated[str | None, typer.Option("--key", envvar="SENTRY_ADO_KEY", metavar="KEY", help=_KEY)],
    "group": Annotated[
        str | None, typer.Option("--group", "-g", envvar="SENTRY_ADO_GROUP", metavar="GROUP", help=_GROUP)
    ],
    "org": Annotated[
        str | None,
        typer.Option("--org", envvar="SENTRY_ADO_ORG", metavar="SLUG", help="The connected organization."),
    ],
    "output": Annotated[
        Output, typer.Option("--output", "-o", help="json and tsv are for programs.", show_default=True)
    ],
    "yes": Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: the answer is yes.")],
    "dry_run": Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")],
}
_DEFAULTS = {"output": Output.TABLE, "yes": False, "dry_run": False}


class Desk:
    def __init__(
        self,
        app: str | None = None,
        key: str | None = None,
        group: str | None = None,
        org: str | None = None,
        output: Output = Output.TABLE,
        *,
        yes: bool = False,
        dry_run: bool = False,
    ) -> None:
        self._app, self._key, self.group, self._org = app, key, group, org
        self.screen = Screen(output)
        self.yes = yes
        self.dry_run = dry_run

    # Whom to ask

    @property
    def is_attended(self) -> bool:
        """Tell whether somebody sits at a terminal who can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self, question: str, missing: str, *, default: str | None = None, secret: bool = False) -> str:
        """Ask a person; where nobody can be asked, raise WrongUsage naming what is ``missing``."""
        if not self.is_attended or (self.yes and default):
            if default:
                return default
            raise WrongUsage(f"Missing: {missing}.")
        said = ""
        while not said:
            said = Prompt.ask(
                question, console=self.screen.err, password=secret, default=default or ""
            ).strip()
        return said

    def choose(self, question: str, choices: list[str], missing: str) -> str:
        if not self.is_attended:
            raise WrongUsage(f"Missing: {missing}. There are: {', '.join(choices)}.")
        return Prompt.ask(question, choices=choices, console=self.screen.err)

    def confirm(self, question: str) -> None:
        """Go on if a person agrees; raise WrongUsage if nobody can be asked and --yes was not given."""
        if self.yes:
            return
        if not self.is_attended:
            raise WrongUsage(f"{question} Say so with --yes: there is no terminal to ask on.")
        if not Confirm.ask(question, console=self.screen.err, default=False):
            raise Ended("Nothing was done.")

    # The app

    @cached_property
    def app(self) -> str:
        return self._app or self.ask("App (name or address)", "--app NAME|URL, or SENTRY_ADO_APP")

    @cached_property
    def client(self) -> Client:
        app = self.app
        url = address_of(app, self.group)
        key = self._key or (key_of(app, self.group) if self.group else "")
        if not key:
            missing = "--key KEY or SENTRY_ADO_KEY, or -g GROUP to fetch it through az"
            key = self.ask("Function key", missing, secret=True)
        return Client(url, key.strip())

    @cached_property
    def org(self) -> str:
        """Return the organization that is meant: the only one, if none was named."""
        if self._org:
            return self._org.strip()
        connected = [each["organization"] for each in self.client.get("organizations")["organizations"]]
        if not connected:
            raise WrongUsage("Nothing is connected yet. Begin with: sentry-ado connect")
        if len(connected) == 1:
            return str(connected[0])
        return self.choose("Organization", connected, "--org SLUG, or SENTRY_ADO_ORG")

    @property
    def named_org(self) -> str | None:
        return self._org.strip() if self._org else None

    def path(self, path: str) -> str:
        return f"organizations/{segment(self.org)}/{path}"

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(self.path(path), **query)

    def call(self, method: str, path: str, **sent: Any) -> requests.Response:
        return self.client.call(method, self.path(path), **sent)

    def pages(self, path: str, name: str, **query: Any) -> Iterator[Any]:
        return self.client.pages(self.path(path), name, **query)

    @cached_property
    def can_try(self) -> bool:
        """Tell whether the app knows a dry run; one that does not would store what it is sent."""
        try:
            self.call("PATCH", "config", query={"dry_run": "1"}, json={})
        except NotThere as error:
            return bool(error.kind)  # It knows the method, and not yet the organization.
        except Ended:
            return True
        return True

    # Long work

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show that something goes on; only to somebody who sits there."""
        if not self.is_attended:
            yield
            return
        with self.screen.err.status(what):
            yield

    @contextmanager
    def progress(self, what: str, total: int | None) -> Iterator[Callable[[], None]]:
        """Show how far long work has come: call what is yielded for each step."""
        if not self.is_attended:
            yield lambda: None
            return
        with Progress(console=self.screen.err, transient=True) as progress:
            task = progress.add_task(what, total=total)
            yield lambda: progress.advance(task)


def operating(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that it has everywhere, and a Desk made of them as its first argument."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        desk = Desk(**{name: given.pop(name) for name in EVERYWHERE})
        try:
            command(desk, **given)
        except Ended as ended:
            if ended.sentence:
                desk.screen.say(ended.sentence, "red")
            raise typer.Exit(ended.exit_code) from None

    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    common = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(name), annotation=annotation
        )
        for name, annotation in EVERYWHERE.items()
    ]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own] + common
    vars(run)["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    del vars(run)["__wrapped__"]  # Else its own signature would win.
    return run
