"""The playground: both fakes and the app, connected and linked, until Ctrl-C; the pages are for playing."""

import argparse
import fcntl
import json
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from simulator.demo import interrupt_on_signals, prepare_output
from simulator.hands import LINKS, Hands, HandsError
from simulator.narrator import Narrator
from simulator.stack import ROOT, SENTRY_ORGANIZATION, SLUG, Secrets, Stack, StackError, free_ports

KEPT_IN = ROOT / ".local" / "playground"
# What both fakes start with and nobody has linked.
UNLINKED = (("103", 34), ("104", 35), ("105", 36))

_POLL_EVERY = 0.5  # seconds
_LAST_PORT = 65_533  # two more are taken behind it


@dataclass(frozen=True)
class Choices:
    """What a run was asked for, and what a kept one has from the one before."""

    port: int | None
    known: Secrets
    folder: Path | None
    is_verbose: bool


def main() -> int:
    asked = _parse()
    prepare_output()
    interrupt_on_signals()
    try:
        with _chosen(asked) as choices:
            return _play(choices)
    except (StackError, HandsError) as error:
        print(error)
        return 1
    except KeyboardInterrupt:
        print("\nEverything was stopped.")
        return 0


def _play(choices: Choices) -> int:
    print("Starting Azurite, a simulated Azure DevOps, a simulated Sentry and the app …")
    narrators: list[Narrator] = []

    def hear(line: str) -> None:
        if choices.is_verbose:
            print(f"  {line}", end="")
        for narrator in narrators:
            narrator.hear(line)

    with Stack(port=choices.port, known=choices.known, folder=choices.folder, on_host_line=hear) as stack:
        hands = Hands(stack)
        goes_on = choices.folder is not None and hands.app.is_connected()
        if not goes_on:
            hands.connect()
            hands.subscribe()
            hands.link()
        print(_welcome(stack, choices, goes_on=goes_on))
        narrator = Narrator(hands.app)
        narrator.begin(since=datetime.now(UTC).isoformat(timespec="milliseconds"))
        narrators.append(narrator)
        while (ended := stack.find_ended()) is None:
            time.sleep(_POLL_EVERY)
    print(f"{ended} ended by itself; everything else was stopped.")
    return 1


@contextmanager
def _chosen(asked: argparse.Namespace) -> Iterator[Choices]:
    """Return what a run starts from; a kept one alone has its folder, and finds there what it had."""
    known = Secrets() if asked.key is None else Secrets(function_key=asked.key)
    if asked.keep is None:
        yield Choices(asked.port, known, None, asked.verbose)
        return
    folder: Path = asked.keep.resolve()
    try:
        # Only for us: it holds secrets.
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "lock").open("a")
    except OSError as error:
        raise StackError(
            f"{folder} cannot be written to ({error.strerror}), and KEEP keeps its data there"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StackError(f"Another run keeps its data in {folder}, and is still running") from error
        port, known = _restored(folder / "run.json", asked.port, known, key=asked.key)
        yield Choices(port, known, folder, asked.verbose)


def _restored(path: Path, port: int | None, known: Secrets, *, key: str | None) -> tuple[int, Secrets]:
    """Return the port and the secrets of the last run, or those of a first one, and note them.

    The document and the subscriptions name addresses, so that a kept run cannot move to another port.
    """
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if port not in {None, kept["port"]}:
            raise StackError(
                f"What is kept in {path.parent} lives at port {kept['port']}. Leave PORT out, or remove that "
                "folder to begin anew"
            )
        port, known = int(kept["port"]), Secrets(**kept["secrets"])
        known = known if key is None else replace(known, function_key=key)
    first = port or free_ports()
    path.write_text(json.dumps({"port": first, "secrets": asdict(known)}), encoding="utf-8")
    path.chmod(0o600)
    return first, known


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument(
        "--port", type=_port, help="the app's port; the two behind it are the fakes' (PORT=7071)"
    )
    parser.add_argument("--key", type=_key, help="the function key to ask for (KEY=my-key)")
    parser.add_argument(
        "--keep",
        nargs="?",
        type=Path,
        const=KEPT_IN,
        metavar="FOLDER",
        help=f"keep all data, and go on with it next time; in {KEPT_IN.relative_to(ROOT)} (KEEP=1)",
    )
    parser.add_argument("--verbose", action="store_true", help="show all that the app says (VERBOSE=1)")
    return parser.parse_args()


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 1 to {_LAST_PORT}")
    return int(text)


def _key(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError("a key is of letters, digits and signs, without spaces")
    return text


def _welcome(stack: Stack, choices: Choices, *, goes_on: bool) -> str:
    known, api = stack.secrets, f"{stack.app_url}/api/organizations"
    curl = f"curl -s -H {shlex.quote(f'x-functions-key: {known.function_key}')}"
    issue_id, work_item_id = LINKS[0]
    linked = ", ".join(f"issue {issue} and #{item}" for issue, item in LINKS)
    rows = "".join(rf"{issue},{item}\n" for issue, item in UNLINKED)
    first = f"Linked: {linked}. Change one on its page and watch the other:"
    settings = {
        "APP": stack.app_url,
        "KEY": known.function_key,
        "ADO_URL": stack.ado_organization_url,
        "ADO_PAT": known.ado_token,
        "ADO_WEBHOOK_SECRET": known.ado_hook,
        "SENTRY_URL": f"{stack.sentry_url}/",
        "SENTRY_ORGANIZATION": SENTRY_ORGANIZATION,
        "SENTRY_TOKEN": known.sentry_token,
        "SENTRY_CLIENT_SECRET": known.sentry_client,
    }
    exports = "\n".join(f"  {name}={shlex.quote(value)}" for name, value in settings.items())
    kept = f"\nAll data stays in {choices.folder}; remove it to begin anew." if choices.folder else ""
    return f"""
{"It goes on where the last run ended. Its pages:" if goes_on else first}
  Azure DevOps  {stack.ado_url}/
  Sentry        {stack.sentry_url}/
  admin page    {api}/{SLUG}/admin#key={quote(known.function_key, safe="")}
  health        {stack.app_url}/api/health

Ask the app:
  {curl} {api}/{SLUG}/links
  {curl} {api}/{SLUG}/links/{issue_id}/{work_item_id}/activity
  {curl} -X POST {api}/{SLUG}/reconcile

Link what is not linked yet:
  printf '{rows}' | {curl} -H 'Content-Type: text/csv' --data-binary @- {api}/{SLUG}/links

Connect a second organization by hand, as docs/connect.md says. The app has these settings already:
{exports}
{kept}
Ctrl-C stops everything. What the app does:
"""


if __name__ == "__main__":
    sys.exit(main())
