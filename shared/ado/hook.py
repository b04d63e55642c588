"""Azure DevOps service hook deliveries: verifying the sender, and reading the event; no I/O.

https://learn.microsoft.com/azure/devops/service-hooks/events#work-item-updated
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec

from shared.ado.answers import WorkItemFields
from shared.ado.delivery import Delivery
from shared.ado.identity import assignee_from_identity, name_from_identity
from shared.domain.comments import InboundComments, SaidInAdo, author_of, carried, may_be_marked
from shared.domain.connection import NOBODY, Identity, ado_place, is_foreign
from shared.domain.decoding import convert, decode_delivery
from shared.domain.errors import Malformed, Unauthenticated
from shared.domain.ids import LARGEST_NUMBER, is_guid
from shared.domain.messages import InboundEvent
from shared.domain.model import Assignee, WorkItem

SECRET_HEADER = "Shared-Secret"  # noqa: S105  # the name of the header, not its value

_EVENTS = {
    "workitem.updated": "updated",
    "workitem.deleted": "deleted",
    "workitem.restored": "restored",
    "workitem.commented": "commented",
}
# ADO quirk: the "Test" button sends canned events with these ids about a work item that does not exist.
_CANNED_EVENT_IDS = frozenset(
    {
        "27646e0e-b520-4d2b-9411-bba7524947cd",
        "72da0ade-0709-40ee-beb7-104287bf7e84",
        "1ca023d6-6cff-49dd-b3d1-302b69311810",
        "fb2617ed-60df-4518-81fa-749faa6c5cd6",
    }
)
_LONGEST_NAME = 400  # characters of an id or an address
_STATE = "System.State"
_ASSIGNED_TO = "System.AssignedTo"
_PROJECT = "System.TeamProject"
_REASON = "System.Reason"
_READ = (_STATE, _ASSIGNED_TO, _PROJECT)


class WorkItemEvent(msgspec.Struct, frozen=True):
    """A genuine event to queue; ``snapshot`` is None if the delivery's own is missing or contradictory.

    ``comment`` is set if the event is one.
    """

    event: InboundEvent
    work_item_id: int
    rev: int
    snapshot: WorkItem | None
    origin: Identity = NOBODY
    comment: SaidInAdo | None = None


class Uninteresting(msgspec.Struct, frozen=True):
    """A genuine event that needs no message; ``outcome`` says why."""

    outcome: str
    detail: str = ""
    work_item_id: int | None = None


class Foreign(msgspec.Struct, frozen=True):
    """An event of somebody else's: its numbers mean other work items. ``detail`` says whose it is."""

    detail: str


class _Unusable(Exception):
    """Holds the JSON path that cannot be read."""


def verify_secret(headers: Mapping[str, str], secrets: Sequence[str]) -> None:
    """Raise Unauthenticated unless the delivery carries one of ``secrets``.

    Azure DevOps does not sign deliveries. A custom header or Basic authentication on the subscription is
    the strongest proof of origin that it offers.
    """
    offered = [value for value in (headers.get(SECRET_HEADER), _basic_password(headers)) if value is not None]
    # Digests have one length and need no encoding; every pair is compared, so the time reveals nothing.
    matches = [
        hmac.compare_digest(_digest(one), _digest(secret)) for one in offered for secret in secrets if secret
    ]
    if not any(matches):
        why = "wrong-proof" if offered else "no-proof"
        raise Unauthenticated(f"{SECRET_HEADER} or the Basic password is missing or wrong", why=why)


def parse(
    body: bytes,
    known: Identity = NOBODY,
    comments: InboundComments = InboundComments.OFF,
    *,
    reads_reasons: bool = False,
) -> WorkItemEvent | Uninteresting | Foreign:
    """Read an authenticated delivery; raise Malformed only for a body that no service hook sends.

    A genuine event always yields a value: an error would put the subscription on probation and stop the
    events of every project of the organization. ``known`` is the organization whose events are expected, and
    ``comments`` says which comments are; ``reads_reasons`` says that a change of the reason for a state is of
    interest there.
    """
    delivery = decode_delivery(body, Delivery)
    if not isinstance(delivery, dict) or not isinstance(delivery.get("eventType"), str):
        raise Malformed("the body is not a service hook event: no eventType")
    event = _EVENTS.get(delivery["eventType"])
    if event is None or (event == "commented" and comments is InboundComments.OFF):
        return Uninteresting("ignored")
    if _is_canned(delivery):
        return Uninteresting("test")
    origin = _origin(delivery)
    if is_foreign(known, origin):
        whose = (*origin.places, *origin.delivered)[0]
        return Foreign(f"it comes from {whose}, which is not the Azure DevOps organization connected here")
    try:
        match event:
            case "updated":
                read = _updated(delivery, (*_READ, _REASON) if reads_reasons else _READ)
            case "commented":
                read = _commented(delivery, comments)
            case _:
                read = _deleted_or_restored(delivery, event)
    except _Unusable as error:
        return Uninteresting("unusable", f"cannot read {error}")
    return msgspec.structs.replace(read, origin=origin) if isinstance(read, WorkItemEvent) else read


def _origin(delivery: Mapping[str, Any]) -> Identity:
    """Return whose a delivery says it is.

    ADO quirk: on Services the account and the collection both are the organization. On a Server there is no
    account, and the server is that of all its collections; it counts only where nothing else is named.
    """
    named = [_dig(delivery, "resourceContainers", name) for name in ("account", "collection")]
    if not any(isinstance(each, dict) for each in named):
        named = [_dig(delivery, "resourceContainers", "server")]
    return Identity(
        places=_texts((_dig(each, "baseUrl") for each in named), ado_place),
        delivered=_texts((_dig(each, "id") for each in named), str.lower),
    )


def _texts(values: Iterable[Any], spelled: Callable[[str], str]) -> tuple[str, ...]:
    texts = (spelled(each) for each in values if isinstance(each, str) and len(each) <= _LONGEST_NAME)
    return tuple(dict.fromkeys(each for each in texts if each.isprintable() and each))


def _is_canned(delivery: Mapping[str, Any]) -> bool:
    event_id = delivery.get("id")
    if isinstance(event_id, str) and event_id.lower() in _CANNED_EVENT_IDS:
        return True
    resource = delivery.get("resource")
    key = "workItemId" if delivery["eventType"] == "workitem.updated" else "id"
    value = resource.get(key) if isinstance(resource, dict) else None
    return not isinstance(value, bool) and value in (0, "0")


def _updated(delivery: Mapping[str, Any], read: tuple[str, ...]) -> WorkItemEvent | Uninteresting:
    # ADO quirk: in an update, resource.id is the number of the update, not of the work item.
    resource = _object(delivery.get("resource"), "resource")
    work_item_id = _number(resource.get("workItemId"), "resource.workItemId")
    rev = _number(resource.get("rev"), "resource.rev")
    fields = resource.get("fields")
    changes = {} if fields is None else _object(fields, "resource.fields")
    for name in read:
        if name in changes:
            _object(changes[name], f"resource.fields['{name}']")
    stripped = fields is None and resource.get("relations") is None
    if not stripped and not any(name in changes for name in read):
        return Uninteresting("nothing-to-sync", work_item_id=work_item_id)
    return WorkItemEvent("updated", work_item_id, rev, _snapshot(delivery, work_item_id, rev, changes))


def _deleted_or_restored(delivery: Mapping[str, Any], event: str) -> WorkItemEvent:
    resource = _object(delivery.get("resource"), "resource")
    work_item_id = _number(resource.get("id"), "resource.id")
    rev = _number(resource.get("rev"), "resource.rev")
    return WorkItemEvent(cast("InboundEvent", event), work_item_id, rev, None)


def _commented(delivery: Mapping[str, Any], wanted: InboundComments) -> WorkItemEvent | Uninteresting:
    """Read a comment: the whole of it, if the delivery holds it and a message can carry it."""
    resource = _object(delivery.get("resource"), "resource")
    work_item_id = _number(resource.get("id"), "resource.id")
    rev = _number(resource.get("rev"), "resource.rev")
    text = _dig(resource, "fields", "System.History")
    is_whole = isinstance(text, str) and bool(text.strip())
    comment_id = _dig(resource, "commentVersionRef", "commentId")
    # An old server may tell of no id; each comment makes a revision of its own.
    if comment_id is None and is_whole:
        key = f"rev-{rev}"
    else:
        key = str(_number(comment_id, "resource.commentVersionRef.commentId"))
        is_whole = is_whole and not carried(text)[1]
    if isinstance(text, str) and wanted is InboundComments.MARKED and not may_be_marked(text):
        return Uninteresting("nothing-to-sync", work_item_id=work_item_id)
    said = SaidInAdo(
        key,
        author_of(name_from_identity(_dig(resource, "fields", "System.ChangedBy")), ""),
        carried(text)[0] if is_whole else None,
        is_markdown=_is_markdown(resource),
    )
    return WorkItemEvent("commented", work_item_id, rev, None, comment=said)


def _is_markdown(resource: Mapping[str, Any]) -> bool:
    """Tell whether a comment is Markdown; where a delivery says nothing of that, it is HTML."""
    told = _dig(resource, "multilineFieldsFormat", "System.History")
    return isinstance(told, str) and told.lower() == "markdown"


def _snapshot(
    delivery: Mapping[str, Any], work_item_id: int, rev: int, changes: Mapping[str, Any]
) -> WorkItem | None:
    """Return the work item at ``rev``, or None if the delivery is incomplete or contradicts itself."""
    project_id = _dig(delivery, "resourceContainers", "project", "id")
    # What holds a project's name instead, or a path, would be written to wherever it leads.
    if not isinstance(project_id, str) or not is_guid(project_id) or _PROJECT in changes:
        return None
    try:
        fields = convert(_dig(delivery, "resource", "revision", "fields"), WorkItemFields)
    except msgspec.ValidationError:
        return None
    if _dig(delivery, "resource", "revision", "rev") not in (None, rev, str(rev)):
        return None
    assignee = assignee_from_identity(fields.assigned_to)
    if _is_contradicted(fields.state, assignee, changes):
        return None
    return WorkItem(
        id=work_item_id,
        rev=rev,
        project_id=project_id.lower(),
        work_item_type=fields.work_item_type,
        state=fields.state,
        assignee=assignee,
        title=fields.title or "",
        area_path=fields.area_path or "",
        reasons=fields.reasons,
    )


def _is_contradicted(state: str, assignee: Assignee, changes: Mapping[str, Any]) -> bool:
    """Tell whether a snapshot disagrees with the change beside it.

    ADO quirk: some deliveries contain a snapshot that is older than the change
    (docs/vendor_quirks.md#service-hooks).
    """
    if _STATE in changes and changes[_STATE].get("newValue") != state:
        return True
    return (
        _ASSIGNED_TO in changes and assignee_from_identity(changes[_ASSIGNED_TO].get("newValue")) != assignee
    )


def _number(value: Any, path: str) -> int:
    """Read a positive integer; test events and old servers send a string of digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST_NUMBER:
        raise _Unusable(path)
    return value


def _object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Unusable(path)
    return value


def _dig(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _basic_password(headers: Mapping[str, str]) -> str | None:
    scheme, _, credentials = (headers.get("Authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except ValueError:  # not base64, not ASCII, or not UTF-8 inside
        return None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
