"""``replay``: messages that failed five times, from the storage itself: list, work on again, discard."""

import base64
import binascii
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from operate.commands.doctor import Silent
from operate.desk import Desk
from operate.errors import CannotReach, WrongUsage
from operate.target import az

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient, QueueMessage

    from shared.settings import Settings

_HIDDEN_FOR = 120  # seconds; a message that is looked at comes back after that, whatever becomes of us
_A_PAGE = 32
_COLUMNS = ("id", "queue", "organization", "about", "inserted", "reason")
_POISON = "-poison"

Id = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids that `replay list` shows.")]
Queue = Annotated[str | None, typer.Option(metavar="inbound|outbound", help="Only of this queue.")]
Reason = Annotated[str | None, typer.Option(metavar="REASON", help="Only those with this reason.")]
About = Annotated[str | None, typer.Option(metavar="31|4507", help="Only about this work item or issue.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


class Poisoned(NamedTuple):
    """A message on a poison ``queue``, which came from ``source``; ``reason`` is what its link says."""

    queue: "QueueClient"
    source: "QueueClient"
    message: "QueueMessage"
    name: str
    organization: str
    about: str
    reason: str

    @property
    def row(self) -> tuple[object, ...]:
        inserted = self.message.inserted_on
        at = inserted.isoformat(timespec="seconds") if inserted else None
        return (self.message.id, self.name, self.organization, self.about, at, self.reason)


def list_messages(desk: Desk, queue: Queue = None, about: About = None, reason: Reason = None) -> None:
    """List the messages that failed five times, with their reasons.

    Ends with 1 if there are any. The storage account is that of AzureWebJobsStorage, or with -g GROUP that
    of the app.

    Example:

        sentry-ado replay list --app acme-sync -g acme-rg
    """
    _verify_queue(queue)
    with _poison(desk) as messages:
        found = [each for each in messages if _is_meant(desk, each, None, queue, about, reason)]
    rows = [each.row for each in found]
    content = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    desk.screen.rows(_COLUMNS, rows, {"messages": content})
    if rows:
        raise Silent
    desk.screen.say("No message failed.")


def run(
    desk: Desk,
    ids: Id = None,
    everything: All = False,
    queue: Queue = None,
    about: About = None,
    reason: Reason = None,
) -> None:
    """Put messages back on their queue, so that they are worked on again.

    Examples:

        sentry-ado replay run 6c1c1e2e-…

        sentry-ado replay run --reason unauthorized --yes
    """
    _move(desk, "Replay", "replayed", _put_back, ids, everything, queue, about, reason)


def discard(
    desk: Desk,
    ids: Id = None,
    everything: All = False,
    queue: Queue = None,
    about: About = None,
    reason: Reason = None,
) -> None:
    """Delete messages for good. Their links are looked at by the reconciler all the same.

    Example:

        sentry-ado replay discard --reason work-item-gone --yes
    """
    _move(desk, "Discard", "discarded", lambda _: None, ids, everything, queue, about, reason)


def _move(
    desk: Desk,
    verb: str,
    done: str,
    before: Callable[[Poisoned], None],
    ids: list[str] | None,
    everything: bool,
    queue: str | None,
    about: str | None,
    reason: str | None,
) -> None:
    _verify_queue(queue)
    if not (ids or everything or queue or about or reason):
        raise WrongUsage("Missing: ID, a filter, or --all.")
    with _poison(desk) as messages:
        found = [each for each in messages if _is_meant(desk, each, ids, queue, about, reason)]
        unknown = set(ids or ()) - {each.message.id for each in found}
        if unknown:
            raise WrongUsage(f"No such message: {', '.join(sorted(unknown))}. See: sentry-ado replay list")
        if not desk.dry_run and found:
            desk.confirm(f"{verb} {len(found)} message(s)?")
            with desk.progress(verb, len(found)) as step:
                for each in found:
                    before(each)
                    each.queue.delete_message(each.message)
                    step()
    outcome = f"would be {done}" if desk.dry_run else done
    rows = [(*each.row, outcome) for each in found]
    names = (*_COLUMNS, "outcome")
    desk.screen.rows(names, rows, {"messages": [dict(zip(names, row, strict=True)) for row in rows]})


def _put_back(poisoned: Poisoned) -> None:
    # What cannot be decoded goes back as it came; the worker tells of it.
    body = _body(poisoned.message)
    poisoned.source.send_message(body)


def _is_meant(
    desk: Desk,
    each: Poisoned,
    ids: list[str] | None,
    queue: str | None,
    about: str | None,
    reason: str | None,
) -> bool:
    return (
        (not ids or each.message.id in ids)
        and (queue is None or each.name.startswith(queue))
        and (about is None or about.lstrip("#") in each.about.replace("#", "").split())
        and (reason is None or each.reason.partition(":")[0] == reason)
        and (desk.named_org is None or each.organization == desk.named_org)
    )


def _verify_queue(queue: str | None) -> None:
    if queue not in {None, "inbound", "outbound"}:
        raise WrongUsage("--queue must be inbound or outbound")


# The storage account


@contextmanager
def _poison(desk: Desk) -> Iterator[Iterator[Poisoned]]:
    """Yield what is on the poison queues; whatever is still there afterwards is visible again at once."""
    # Imported when used: only these commands need Azure's libraries.
    from azure.core.exceptions import AzureError, ResourceNotFoundError

    from shared.domain.errors import SyncError
    from shared.store.queues import INBOUND_QUEUE, OUTBOUND_QUEUE, queue_client

    settings = _settings(desk)
    try:
        storage = settings.storage
        credential = None
        if settings.is_storage_by_identity:
            from azure.identity import DefaultAzureCredential

            credential = DefaultAzureCredential()

        def client_of(name: str) -> "QueueClient":
            return queue_client(storage, name, credential)

        reasons = _Reasons(settings, credential)
        taken: list[Poisoned] = []

        def read() -> Iterator[Poisoned]:
            for name in (INBOUND_QUEUE, OUTBOUND_QUEUE):
                client = client_of(name + _POISON)
                try:
                    for message in client.receive_messages(
                        messages_per_page=_A_PAGE, visibility_timeout=_HIDDEN_FOR
                    ):
                        each = _read(client, client_of(name), message, name, reasons)
                        taken.append(each)
                        yield each
                except ResourceNotFoundError:
                    continue

        try:
            yield read()
        finally:
            for each in taken:
                try:
                    each.queue.update_message(each.message.id, each.message.pop_receipt, visibility_timeout=0)
                except ResourceNotFoundError:
                    continue  # It was replayed or discarded.
    except (AzureError, SyncError) as error:
        raise CannotReach(
            f"The storage account cannot be read ({type(error).__name__}). Name it in AzureWebJobsStorage, "
            "or use -g GROUP; you need the role Storage Queue Data Contributor."
        ) from None


def _settings(desk: Desk) -> "Settings":
    from shared.settings import STORAGE, Settings

    is_set = any(name.startswith(STORAGE) and value for name, value in os.environ.items())
    if desk.group and not is_set:
        named = ("--name", desk.app, "--resource-group", desk.group)
        listed = az("functionapp", "config", "appsettings", "list", *named)
        found = {each["name"]: each["value"] for each in listed}
        return Settings.from_environ(
            {
                name: value
                for name, value in found.items()
                if name.startswith(STORAGE) or name == "TABLE_PREFIX"
            }
        )
    if not is_set:
        raise WrongUsage(f"Missing: the storage account. Set {STORAGE}, or give --app NAME -g GROUP.")
    return Settings.from_environ(os.environ)


def _body(message: "QueueMessage") -> bytes:
    try:
        return base64.b64decode(message.content, validate=True)
    except (binascii.Error, ValueError, TypeError):
        return str(message.content).encode()


def _read(
    client: "QueueClient", source: "QueueClient", message: "QueueMessage", name: str, reasons: "_Reasons"
) -> Poisoned:
    try:
        content: Any = json.loads(_body(message))
    except ValueError:
        content = {}
    if not isinstance(content, dict):
        content = {}
    organization = str(content.get("organization", ""))
    issue, item = content.get("issue_id"), content.get("work_item_id")
    about = " ".join(filter(None, (str(issue) if issue else "", f"#{item}" if item else "")))
    reason = reasons.of(organization, issue, item) if content else "unreadable"
    return Poisoned(client, source, message, name, organization, about, reason)


class _Reasons:
    """Why a message failed: what its links say, read from the tables."""

    def __init__(self, settings: "Settings", credential: Any) -> None:
        from shared.store.links import LinkStore
        from shared.store.organizations import OrganizationStore
        from shared.store.tables import AzureTable, table_service
        from shared.store.transport import new_transport

        service = table_service(settings.storage, credential, new_transport())
        prefix = settings.table_prefix
        self._organizations = OrganizationStore(
            AzureTable(service.get_table_client(f"{prefix}organizations"))
        )
        self._links = LinkStore(AzureTable(service.get_table_client(f"{prefix}links")))

    def of(self, slug: str, issue: Any, item: Any) -> str:
        from shared.domain.errors import SyncError

        try:
            organization = self._organizations.find(slug)
            if organization is None:
                return "unknown-organization"
            scope = organization.scope
            stored = (
                self._links.for_issue(scope, str(issue))
                if issue
                else self._links.for_work_item(scope, int(item))
            )
        except (SyncError, ValueError, TypeError):
            return "unknown"
        if not stored:
            return "not-linked"
        ill = next((each.link.health for each in stored if each.link.health.reason), None)
        return f"{ill.reason}: {ill.detail}" if ill else "cured"
