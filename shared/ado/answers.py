"""The shapes of Azure DevOps' answers, as far as they are read: anything else in their place is no answer."""

from collections.abc import Collection
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, field
from msgspec.structs import replace

from shared.domain.decoding import Readable, find_as
from shared.domain.ids import GUID, LARGEST_NUMBER
from shared.domain.model import Category, State
from shared.domain.rules.creating import TypeField

Each = TypeVar("Each")

Number = Annotated[int, Meta(gt=0, le=LARGEST_NUMBER)]
Guid = Annotated[str, Meta(pattern=rf"^(?i:{GUID})\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=512)]
# Titles and paths end long before that. A longer one could not be stored.
Text = Annotated[str, Meta(max_length=4096)]


_LONGEST_REASON = 255  # characters


class Listed(msgspec.Struct, Generic[Each], frozen=True):
    """The list that most answers wrap."""

    value: Readable[Each]


class ConnectionAnswer(msgspec.Struct, frozen=True):
    """Who answers: the id of the organization, or of the collection on a Server."""

    instance_id: Annotated[str, Meta(pattern=r"\S", max_length=100)] = field(name="instanceId")


class ProjectAnswer(msgspec.Struct, frozen=True):
    id: Guid
    name: Name


class WorkItemFields(msgspec.Struct, frozen=True):
    work_item_type: Name = field(name="System.WorkItemType")
    state: Name = field(name="System.State")
    # A person comes in several shapes, and whoever cannot be read is a stranger.
    assigned_to: Any = field(name="System.AssignedTo", default=None)
    title: Text | None = field(name="System.Title", default=None)
    area_path: Text | None = field(name="System.AreaPath", default=None)
    project: Name | None = field(name="System.TeamProject", default=None)
    # Why an item is in its state matters to some; one that cannot be read is none.
    reason: Any = field(name="System.Reason", default=None)
    resolved_reason: Any = field(name="Microsoft.VSTS.Common.ResolvedReason", default=None)

    @property
    def reasons(self) -> tuple[str, ...] | None:
        """Return why the item is in its state, and why it was resolved before; None where neither is shown.

        Every item has a reason. A list shows what it was asked for, and a Server whose processes lack the
        field of the other one refuses to be asked for it.
        """
        both = (self.reason, self.resolved_reason)
        texts = (each.strip() for each in both if isinstance(each, str) and len(each) <= _LONGEST_REASON)
        return tuple(dict.fromkeys(each for each in texts if each)) or None


# What lists of work items are asked for. The reasons are not among them: some Servers refuse the question.
LISTED_FIELDS = (
    "System.Id",
    "System.Rev",
    "System.State",
    "System.AssignedTo",
    "System.WorkItemType",
    "System.Title",
    "System.AreaPath",
    "System.TeamProject",
)


class WorkItemAnswer(msgspec.Struct, frozen=True):
    id: Number
    rev: Number
    fields: WorkItemFields
    url: str | None = None


class StateAnswer(msgspec.Struct, frozen=True):
    name: Name
    # In another shape it is one that nobody knows, as a new word for one is.
    category: Any = None

    @property
    def state(self) -> State:
        return State(self.name, next((each for each in Category if each == self.category), None))


class Move(msgspec.Struct, frozen=True):
    to: str | None = None


class TypeAnswer(msgspec.Struct, frozen=True):
    """A type. ``transitions`` names, for each state, where an item may go; "" is before it is created.

    They only say which states are worth trying, so a table that cannot be read hides no state. Neither does
    a flag, or a state beside it.
    """

    name: Name
    states: Readable[StateAnswer] | None = None
    disabled: Any = field(name="isDisabled", default=None)
    transitions: Any = None

    @property
    def is_disabled(self) -> bool:
        return self.disabled is True

    @property
    def states_with_moves(self) -> tuple[State, ...]:
        """Return the states, each with the moves out of it; None where no move is restricted.

        A table that names no move at all is one that the server does not keep.
        """
        states = [each.state for each in self.states or ()]
        listed = {each.name.casefold(): each.name for each in states}
        moves = {
            start.casefold(): tuple(
                listed[each.to.casefold()] for each in goals if each.to and each.to.casefold() in listed
            )
            for start, goals in self._moves.items()
            if start and goals is not None
        }
        if not any(moves.values()):
            return tuple(states)
        return tuple(replace(each, moves=self._restricting(each, moves, listed)) for each in states)

    @property
    def _moves(self) -> dict[str, list[Move] | None]:
        return find_as(self.transitions, dict[str, list[Move] | None]) or {}

    def _restricting(
        self, state: State, moves: dict[str, tuple[str, ...]], listed: dict[str, str]
    ) -> tuple[str, ...] | None:
        allowed = moves.get(state.name.casefold())
        is_free = allowed is None or {*allowed, state.name} >= set(listed.values())
        return None if is_free else allowed


class Named(msgspec.Struct, frozen=True):
    name: Name


class CategoryAnswer(msgspec.Struct, frozen=True):
    reference_name: Any = field(name="referenceName", default=None)
    work_item_types: Readable[Named] | None = field(name="workItemTypes", default=None)


class Place(msgspec.Struct, frozen=True):
    """An area or an iteration, and those below it."""

    name: Name
    children: Readable["Place"] | None = None


class FieldAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A field of a work item type, as the type defines it."""

    reference_name: Name
    name: Name | None = None
    always_required: bool | None = None
    default_value: Any = None
    allowed_values: list[Any] | None = None

    def field(self, read_only: Collection[str]) -> TypeField:
        """Return the field; ``read_only`` are the reference names of those that nobody writes."""
        return TypeField(
            self.reference_name,
            self.name or self.reference_name,
            required=bool(self.always_required),
            has_default=self.default_value not in (None, ""),
            read_only=self.reference_name in read_only,
            allowed=tuple(
                str(each) for each in self.allowed_values or () if isinstance(each, str | int | float)
            ),
        )


class AnyFieldAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A field of the organization, whatever types have it."""

    reference_name: Name
    read_only: bool | None = None


class Numbered(msgspec.Struct, frozen=True):
    """A work item of which only the number is asked for."""

    id: Number


class QueryAnswer(msgspec.Struct, frozen=True):
    """What a query finds. Without the list it is no answer: nothing would be known to be there."""

    work_items: Readable[Numbered] = field(name="workItems")

    @property
    def ids(self) -> list[int]:
        return [each.id for each in self.work_items]

    @property
    def unreadable(self) -> int:
        return self.work_items.unreadable


class Relation(msgspec.Struct, frozen=True):
    rel: str = ""
    url: str | None = None
    attributes: dict[str, Any] | None = None

    @property
    def comment(self) -> str:
        return str((self.attributes or {}).get("comment") or "")


class RelatedAnswer(msgspec.Struct, frozen=True):
    """A work item and what it is related to."""

    id: Number
    relations: Readable[Relation] | None = None

    @property
    def hides_relations(self) -> bool:
        return self.relations is not None and self.relations.unreadable > 0


class FoundAnswer(msgspec.Struct, frozen=True):
    """What the search service finds; ``info_code`` tells whether its index is complete."""

    results: list[Any] | None = None
    info_code: int = field(name="infoCode", default=0)


class CommentAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A comment of which only the id is asked for.

    ADO quirk: old versions call it ``commentId`` (docs/vendor_quirks.md#rest).
    """

    id: Number | None = None
    comment_id: Number | None = None

    @property
    def number(self) -> int | None:
        return self.id or self.comment_id


class WholeCommentAnswer(CommentAnswer, frozen=True, rename="camel", kw_only=True):
    """A comment and what it says; without a text, nobody knows whose it is."""

    text: str
    format: str | None = None
    # A person comes in several shapes.
    created_by: Any = None


class CommentsAnswer(msgspec.Struct, frozen=True):
    comments: Readable[WholeCommentAnswer]


class Acknowledged(msgspec.Struct, frozen=True):
    """An object of which nothing is needed."""
