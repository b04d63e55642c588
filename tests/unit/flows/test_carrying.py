"""Comments between both services: new, edited, deleted, in any order, through every crash, and never back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func
import pytest

from functions import ado_webhook, inbound_sync, outbound_sync, sentry_webhook
from shared.domain.comments import InboundComments, SaidInAdo
from shared.domain.errors import (
    Busy,
    Forbidden,
    MissingSetting,
    NotFound,
    Refused,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from shared.domain.messages import InboundMessage
from shared.flows.commenting_inbound import sync_ado_comment
from shared.sentry.hook import RESOURCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from shared.store.idempotency import IdempotencyStore
from shared.store.tables import Delete
from tests.doubles import ado as ado_double
from tests.doubles import sentry as sentry_double
from tests.doubles.services import ADO_SECRET, SENTRY_SECRET
from tests.unit.scene import ANN, ISSUE, ITEM, SLUG, STATE, Died, Scene

SAID = "It is the *cache*."
SHOWN = "<p>It is the <em>cache</em>.</p>"


@dataclass
class Discussion:
    """Both sides of a link, with every hook that they send, to be delivered in any order."""

    scene: Scene = field(default_factory=Scene)
    from_sentry: list[sentry_double.Event] = field(default_factory=list)
    from_ado: list[ado_double.Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scene.configure(sync_comments=True, sync_comments_reverse=InboundComments.ALL)
        self.scene.sentry.announce = self.from_sentry.append
        self.scene.ado.announce = self.from_ado.append

    def deliver(self, event: sentry_double.Event, *, at: float | None = None) -> None:
        body = self.scene.sentry.hook_body(event)
        assert body is not None
        headers = {
            RESOURCE_HEADER: "comment",
            SIGNATURE_HEADER: sign(body, SENTRY_SECRET).decode(),
            TIMESTAMP_HEADER: str(self.scene.now if at is None else at),
        }
        self._post(sentry_webhook.handle, headers, body)

    def deliver_from_ado(self, event: ado_double.Event) -> None:
        self._post(ado_webhook.handle, {"Shared-Secret": ADO_SECRET}, self.scene.ado.hook_body(event))

    def _post(self, handle: object, headers: dict[str, str], body: bytes) -> None:
        request = func.HttpRequest(
            "POST", "/", headers=headers, route_params={"organization": SLUG}, body=body
        )
        assert handle(request, self.scene.services).status_code in {200, 202}  # type: ignore[operator]

    def handle_all(self) -> None:
        """Handle every visible message of both queues."""
        services = self.scene.services
        for queue, handle in (
            (services.outbound, outbound_sync.handle),
            (services.inbound, inbound_sync.handle),
        ):
            for number in queue.visible():
                received = queue.receive_one(number)
                handle(func.QueueMessage(body=received.body), services)
                queue.delete(received)

    def settle(self) -> None:
        """Deliver and handle whatever there is until nothing moves any more."""
        for _ in range(20):
            while self.from_sentry or self.from_ado:
                if self.from_sentry:
                    self.deliver(self.from_sentry.pop(0))
                else:
                    self.deliver_from_ado(self.from_ado.pop(0))
                self.handle_all()
            moments = [*self.scene.services.outbound.moments(), *self.scene.services.inbound.moments()]
            if not moments:
                return
            self.scene.now = max(self.scene.now, *moments)
            self.handle_all()
        raise AssertionError("it never comes to rest")

    def die_at(self, name: str, *, lands: bool) -> None:
        """Let the worker die at a call, and its message come back once its claim is over."""
        self.scene.calls.meet(name, Died(), lands=lands)
        services = self.scene.services
        for queue, handle in (
            (services.outbound, outbound_sync.handle),
            (services.inbound, inbound_sync.handle),
        ):
            for number in queue.visible():
                received = queue.receive_one(number)
                with pytest.raises(Died):
                    handle(func.QueueMessage(body=received.body), services)
        self.scene.now += 700.0

    @property
    def in_ado(self) -> list[str]:
        """What the work item's discussion says, without the line that says whose it is."""
        return [
            each.partition("<blockquote>")[2].removesuffix("</blockquote>")
            for each in self.scene.ado.discussion(ITEM)
        ]

    def in_sentry(self, issue_id: str = ISSUE) -> list[str]:
        return [each for each in self.scene.sentry.discussion(issue_id) if "wrote in [Azure DevOps]" in each]


@pytest.fixture
def discussion() -> Discussion:
    return Discussion()


# From Sentry: each order of what is told


ORDERS: list[tuple[str, list[int], list[str]]] = [
    ("created", [0], [SHOWN]),
    ("created twice", [0, 0], [SHOWN]),
    ("created, edited", [0, 1], ["<p>Second</p>"]),
    ("edited, created", [1, 0], ["<p>Second</p>"]),
    ("edited twice", [0, 1, 1], ["<p>Second</p>"]),
    ("edited only", [1], ["<p>Second</p>"]),
    ("created late again", [0, 1, 0], ["<p>Second</p>"]),
    ("created, deleted", [0, 2], []),
    ("deleted, created", [2, 0], []),
    ("created, edited, deleted", [0, 1, 2], []),
    ("created, deleted, edited", [0, 2, 1], []),
    ("deleted, edited, created", [2, 1, 0], []),
    ("deleted twice", [0, 2, 2], []),
    ("deleted only", [2], []),
]


@pytest.mark.parametrize(("order", "shown"), [each[1:] for each in ORDERS], ids=[each[0] for each in ORDERS])
def test_hooks_in_any_order_leave_what_sentry_shows(
    discussion: Discussion, order: list[int], shown: list[str]
) -> None:
    sentry = discussion.scene.sentry
    comment_id = sentry.comment(ISSUE, SAID)
    sentry.edit_comment(comment_id, "Second")
    if 2 in order:
        sentry.delete_comment(comment_id)
    hooks = list(discussion.from_sentry)
    discussion.from_sentry.clear()
    for number in order:
        discussion.deliver(hooks[number])
        discussion.handle_all()
    discussion.settle()
    assert discussion.in_ado == shown


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(
    "order", [(0, 1, 2), (0, 2, 1), (2, 1, 0), (2, 0, 1), (1, 0, 2), (1, 2, 0), (0, 1, 2, 1)]
)
def test_of_two_edits_the_later_one_counts(
    discussion: Discussion, order: tuple[int, ...], listed: bool
) -> None:
    """Sentry's list tells which is the later one, or, where it cannot be had, when the hooks were sent."""
    scene = discussion.scene
    comment_id = scene.sentry.comment(ISSUE, SAID)
    scene.sentry.edit_comment(comment_id, "Second")
    scene.sentry.edit_comment(comment_id, "Third")
    hooks = list(discussion.from_sentry)
    discussion.from_sentry.clear()
    if not listed:
        scene.calls.meet("get_comment", *[NotFound("no such list", kind="comment-not-found")] * 9)
    for number in order:
        discussion.deliver(hooks[number], at=scene.now + number)
        discussion.handle_all()
    assert discussion.in_ado == ["<p>Third</p>"]


def test_the_words_of_a_hook_need_no_list(discussion: Discussion) -> None:
    discussion.scene.calls.made.clear()
    discussion.scene.sentry.comment(ISSUE, SAID)
    discussion.deliver(discussion.from_sentry.pop())
    discussion.handle_all()
    assert discussion.scene.calls.made == ["get_issue", "POST comments"]


def test_a_comment_that_no_message_can_carry_is_looked_up(discussion: Discussion) -> None:
    text = "x" * 60_000
    discussion.scene.sentry.comment(ISSUE, text)
    discussion.settle()
    assert discussion.in_ado == [f"<p>{text}</p>"]


@pytest.mark.parametrize(
    "error",
    [NotFound("no list", kind="comment-not-found"), Forbidden("sentry", "403"), Refused("sentry", "400")],
)
def test_without_a_list_as_much_is_carried_as_the_hook_brought(
    discussion: Discussion, error: SyncError
) -> None:
    discussion.scene.sentry.comment(ISSUE, "x" * 60_000)
    discussion.scene.calls.meet("get_comment", error)
    discussion.settle()
    [shown] = discussion.in_ado
    assert 30_000 < len(shown) < 45_000
    assert "the rest is in Sentry" in shown


def test_our_copy_that_somebody_removed_stays_away(discussion: Discussion) -> None:
    scene = discussion.scene
    comment_id = scene.sentry.comment(ISSUE, SAID)
    discussion.settle()
    scene.ado.delete_comment(ITEM, 1)
    scene.sentry.edit_comment(comment_id, "Second")
    discussion.settle()
    scene.sentry.edit_comment(comment_id, "Third")
    discussion.settle()
    assert discussion.in_ado == []
    assert "comment-gone" in scene.outcomes()


def test_an_edit_that_says_the_same_writes_nothing(discussion: Discussion) -> None:
    comment_id = discussion.scene.sentry.comment(ISSUE, SAID)
    discussion.settle()
    discussion.scene.calls.made.clear()
    discussion.scene.sentry.edit_comment(comment_id, SAID)
    discussion.settle()
    assert "PATCH comment" not in discussion.scene.calls.made


def test_what_an_older_version_carried_is_edited_and_deleted_too(discussion: Discussion) -> None:
    scene = discussion.scene
    comment_id = scene.sentry.comment(ISSUE, SAID)
    discussion.settle()
    claim = scene.services.idempotency.claim(SLUG, f"comment-{comment_id}-on-{ITEM}", scene.now)
    assert isinstance(claim, str)
    held = scene.services.idempotency.claim(SLUG, f"comment-{comment_id}-on-{ITEM}", scene.now, redo=claim)
    assert not isinstance(held, str)
    scene.services.idempotency.done(SLUG, held, "commented")
    scene.sentry.edit_comment(comment_id, "Second")
    discussion.settle()
    assert discussion.in_ado == ["<p>Second</p>"]
    scene.sentry.delete_comment(comment_id)
    discussion.settle()
    assert discussion.in_ado == []


# From Sentry: the tables were lost


def forget_what_was_carried(scene: Scene) -> None:
    """Take away what links rebuilt from both services lack: the records of what was carried."""
    table = scene.services.links._table
    for row in list(table.scan(SLUG, "deed!", "deed!~")):
        table.apply(SLUG, Delete(row.key))


@pytest.mark.parametrize("others", [0, 5])
@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        (["edit"], ["<p>Second</p>"]),
        (["delete"], []),
        (["edit", "delete"], []),
        (["delete", "edit"], []),
        (["edit", "forget", "edit"], ["<p>Second</p>"]),
        (["edit", "forget", "delete"], []),
        (["delete", "forget", "delete"], []),
    ],
)
def test_what_was_carried_before_the_tables_were_lost_is_edited_and_deleted(
    discussion: Discussion, changes: list[str], shown: list[str], others: int
) -> None:
    scene = discussion.scene
    comment_id = scene.sentry.comment(ISSUE, SAID)
    for number in range(others):
        scene.sentry.comment(ISSUE, f"{number}")
    discussion.settle()
    forget_what_was_carried(scene)
    scene.sentry.edit_comment(comment_id, "Second")
    edited = discussion.from_sentry.pop()
    if "delete" in changes:
        scene.sentry.delete_comment(comment_id)
        deleted = discussion.from_sentry.pop()
    for change in changes:
        if change == "forget":
            forget_what_was_carried(scene)
        else:
            discussion.deliver(edited if change == "edit" else deleted)
            discussion.handle_all()
    discussion.settle()
    assert discussion.in_ado == shown + [f"<p>{number}</p>" for number in range(others)]
    assert discussion.in_sentry() == []


@pytest.mark.parametrize(
    ("change", "calls"),
    [
        ("created", ["get_issue", "POST comments"]),
        ("updated", ["get_issue", "get_comment", "GET comments", "POST comments"]),
        ("deleted", ["get_issue", "GET comments"]),
    ],
)
def test_only_what_says_that_it_was_there_before_is_looked_for(
    discussion: Discussion, change: str, calls: list[str]
) -> None:
    scene = discussion.scene
    comment_id = scene.sentry.comment(ISSUE, SAID)
    if change == "updated":
        scene.sentry.edit_comment(comment_id, "Second")
    if change == "deleted":
        scene.sentry.delete_comment(comment_id)
    scene.calls.made.clear()
    discussion.deliver(discussion.from_sentry[-1])
    discussion.handle_all()
    assert scene.calls.made == calls


# From Sentry: crashes and lost answers


@pytest.mark.parametrize("lands", [True, False])
@pytest.mark.parametrize("died_at", ["POST comments", "PATCH comment", "DELETE comment"])
def test_a_worker_that_dies_between_write_and_record_doubles_nothing(
    discussion: Discussion, died_at: str, lands: bool
) -> None:
    sentry = discussion.scene.sentry
    steps = {"POST comments": 0, "PATCH comment": 1, "DELETE comment": 2}
    comment_id = sentry.comment(ISSUE, SAID)
    changes: list[Callable[[], object]] = [
        lambda: None,
        lambda: sentry.edit_comment(comment_id, "Second"),
        lambda: sentry.delete_comment(comment_id),
    ]
    for step, change in enumerate(changes):
        change()
        for event in discussion.from_sentry:
            discussion.deliver(event)
        discussion.from_sentry.clear()
        if steps[died_at] == step:
            discussion.die_at(died_at, lands=lands)
        discussion.settle()
        assert discussion.in_ado == [[SHOWN], ["<p>Second</p>"], []][step]
    assert discussion.in_sentry() == []


@pytest.mark.parametrize("lands", [True, False])
@pytest.mark.parametrize("call", ["POST comments", "PATCH comment", "DELETE comment"])
def test_a_lost_answer_doubles_nothing(discussion: Discussion, call: str, lands: bool) -> None:
    scene = discussion.scene
    scene.calls.meet(call, Unavailable("ado", "ConnectionError"), lands=lands)
    comment_id = scene.sentry.comment(ISSUE, SAID)
    discussion.settle()
    assert discussion.in_ado == [SHOWN]
    scene.sentry.edit_comment(comment_id, "Second")
    discussion.settle()
    assert discussion.in_ado == ["<p>Second</p>"]
    scene.sentry.delete_comment(comment_id)
    discussion.settle()
    assert discussion.in_ado == []


@pytest.mark.parametrize("side", ["sentry", "ado"])
def test_no_comment_is_written_once_the_claim_may_have_run_out(discussion: Discussion, side: str) -> None:
    """A worker stands still before its write, and another one takes over meanwhile."""
    scene = discussion.scene
    scene.sentry.takes_twice = True
    idempotency = scene.services.idempotency
    stood_still: list[bool] = []

    def claim(*args: Any, **options: Any) -> object:
        claimed = IdempotencyStore.claim(idempotency, *args, **options)
        if not stood_still:
            stood_still.append(True)
            scene.now += 70.0
        return claimed

    vars(idempotency)["claim"] = claim
    if side == "sentry":
        scene.sentry.comment(ISSUE, SAID)
    else:
        scene.ado.comment(ITEM, "Hello")
    events = list(discussion.from_ado if side == "ado" else discussion.from_sentry)
    discussion.settle()
    assert stood_still
    assert events
    assert (len(discussion.in_sentry()), len(discussion.in_ado)) == ((0, 1) if side == "sentry" else (1, 1))
    writes = [each for each in scene.calls.made if each in {"add_comment", "POST comments"}]
    assert len(writes) == 1
    assert any(each in scene.calls.made for each in ("find_comment", "GET comments"))


def test_an_edit_waits_for_the_worker_that_carries_the_comment(discussion: Discussion) -> None:
    scene = discussion.scene
    comment_id = scene.sentry.comment(ISSUE, SAID)
    scene.services.idempotency.claim(SLUG, f"comment-{comment_id}-on-{ITEM}", scene.now)
    scene.sentry.edit_comment(comment_id, "Second")
    discussion.settle()
    assert discussion.in_ado == ["<p>Second</p>"]


@pytest.mark.parametrize("call", ["POST comments", "PATCH comment", "DELETE comment"])
@pytest.mark.parametrize(
    "error", [Refused("ado", "HTTP 400", quoted="closed"), Forbidden("ado", "HTTP 403", quoted="closed")]
)
def test_a_refusal_is_told_and_blocks_no_later_change(
    discussion: Discussion, call: str, error: SyncError
) -> None:
    scene = discussion.scene
    comment_id = scene.sentry.comment(ISSUE, SAID)
    if call != "POST comments":
        discussion.settle()
    scene.calls.meet(call, error)
    if call == "DELETE comment":
        scene.sentry.delete_comment(comment_id)
        discussion.settle()
        assert discussion.in_ado == [SHOWN]
    else:
        scene.sentry.edit_comment(comment_id, "Second")
        discussion.settle()
        scene.sentry.edit_comment(comment_id, "Third")
        discussion.settle()
        assert discussion.in_ado == ["<p>Third</p>"]
    assert any("closed" in (each.reason or "") for each in scene.entries())


# From Azure DevOps


def test_a_comment_arrives_in_sentry_once_with_its_author(discussion: Discussion) -> None:
    scene = discussion.scene
    scene.ado.comment(ITEM, "<div>Is it the <b>cache</b>?</div>", actor=ANN)
    for event in [each for each in discussion.from_ado if each.kind == "commented"]:
        discussion.deliver_from_ado(event)
    discussion.settle()
    [note] = discussion.in_sentry()
    page = scene.ado.web_url(scene.row.project_id, ITEM)
    assert note == f"**Ann** wrote in [Azure DevOps]({page}#comment-1):\n\n> Is it the **cache**?"
    assert scene.outcomes() == ["commented"]
    assert scene.entries()[0].direction == "inbound"
    assert len(scene.ado.discussion(ITEM)) == 1


@pytest.mark.parametrize(
    ("wanted", "html", "arrives"),
    [
        ("off", "<div>/sentry Hello</div>", None),
        ("marked", "<div>/sentry Hello</div>", "> Hello"),
        ("marked", "<div>Hello /sentry</div>", None),
        ("marked", "<div>Hello</div>", None),
        ("marked", "/sentry", None),
        ("all", "<div>Hello</div>", "> Hello"),
        ("all", "<div>/sentry Hello</div>", "> /sentry Hello"),
        ("all", "<div><br></div>", None),
    ],
)
def test_which_comments_travel(discussion: Discussion, wanted: str, html: str, arrives: str | None) -> None:
    discussion.scene.configure(sync_comments_reverse=InboundComments(wanted))
    discussion.scene.ado.comment(ITEM, html)
    discussion.settle()
    assert [each.rpartition("\n")[2] for each in discussion.in_sentry()] == ([arrives] if arrives else [])


@pytest.mark.parametrize("off", [{"sync_comments_reverse": InboundComments.OFF}, {"issue_sync": False}])
def test_switched_off_after_the_hook_is_switched_off(discussion: Discussion, off: dict[str, object]) -> None:
    discussion.scene.ado.comment(ITEM, "Hello")
    for event in discussion.from_ado:
        discussion.deliver_from_ado(event)
    discussion.from_ado.clear()
    discussion.scene.configure(**off)
    discussion.settle()
    assert discussion.in_sentry() == []


def test_a_comment_reaches_every_linked_issue_once(discussion: Discussion) -> None:
    discussion.scene.link("200")
    discussion.scene.ado.comment(ITEM, "Hello")
    discussion.settle()
    assert [len(discussion.in_sentry(each)) for each in (ISSUE, "200")] == [1, 1]


def test_one_issue_that_fails_keeps_a_comment_from_no_other(discussion: Discussion) -> None:
    scene = discussion.scene
    scene.link("200")
    scene.calls.meet("add_comment", Unavailable("sentry", "HTTP 503"))
    scene.ado.comment(ITEM, "Hello")
    discussion.settle()
    assert [len(discussion.in_sentry(each)) for each in (ISSUE, "200")] == [1, 1]


@pytest.mark.parametrize("lands", [True, False])
def test_a_worker_that_dies_between_post_and_record_doubles_nothing(
    discussion: Discussion, lands: bool
) -> None:
    discussion.scene.ado.comment(ITEM, "Hello")
    [event] = [each for each in discussion.from_ado if each.kind == "commented"]
    discussion.from_ado.clear()
    discussion.deliver_from_ado(event)
    discussion.die_at("add_comment", lands=lands)
    discussion.settle()
    assert len(discussion.in_sentry()) == 1
    assert len(discussion.scene.ado.discussion(ITEM)) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 0, 1), (0, 1, 0, 1)])
def test_comments_that_come_in_any_order_arrive_once_each(
    discussion: Discussion, order: tuple[int, ...]
) -> None:
    scene = discussion.scene
    for text in ("First", "Second"):
        scene.ado.comment(ITEM, text)
    hooks = [each for each in discussion.from_ado if each.kind == "commented"]
    # What was done to the item since is known before either comment.
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    discussion.from_ado.clear()
    for number in order:
        discussion.deliver_from_ado(hooks[number])
        discussion.settle()
    assert sorted(each.rpartition("\n")[2] for each in discussion.in_sentry()) == ["> First", "> Second"]
    assert (scene.state, len(scene.ado.discussion(ITEM))) == ("Closed", 2)


@pytest.mark.parametrize("lands", [True, False])
def test_a_lost_answer_of_sentry_doubles_nothing(discussion: Discussion, lands: bool) -> None:
    discussion.scene.calls.meet("add_comment", Unavailable("sentry", "ConnectionError"), lands=lands)
    discussion.scene.ado.comment(ITEM, "Hello")
    discussion.settle()
    assert len(discussion.in_sentry()) == 1
    assert len(discussion.scene.ado.discussion(ITEM)) == 1


def test_a_hook_that_comes_again_after_a_merge_adds_nothing(discussion: Discussion) -> None:
    scene = discussion.scene
    scene.ado.comment(ITEM, "Hello")
    [event] = [each for each in discussion.from_ado if each.kind == "commented"]
    discussion.settle()
    scene.sentry.add_issue(issue_id="200")
    scene.sentry.merge(ISSUE, into="200")
    scene.services.links.move(scene.stored(), "200")
    discussion.deliver_from_ado(event)
    discussion.settle()
    assert len(discussion.in_sentry("200")) == 1
    assert scene.outcomes("200")[0] == "already-commented"


def test_two_links_that_a_merge_makes_one_get_a_comment_once(discussion: Discussion) -> None:
    scene = discussion.scene
    scene.link("200")
    scene.sentry.merge(ISSUE, into="200")
    scene.ado.comment(ITEM, "Hello")
    discussion.settle()
    assert len(discussion.in_sentry("200")) == 1


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Refused("sentry", "HTTP 400", quoted="too hot"), "refused"),
        (Forbidden("sentry", "HTTP 403", about="the comments of issue 100", quoted="too hot"), "forbidden"),
        (NotFound("HTTP 404", kind="issue-not-found", quoted="too hot"), "issue-gone"),
    ],
)
def test_a_comment_that_sentry_never_takes_is_told_with_its_words(
    discussion: Discussion, error: SyncError, outcome: str
) -> None:
    discussion.scene.calls.meet("add_comment", error)
    discussion.scene.ado.comment(ITEM, "Hello")
    discussion.settle()
    entry = discussion.scene.entries()[0]
    assert (entry.outcome, entry.direction, entry.field) == (outcome, "inbound", "comment")
    assert entry.reason is not None
    assert entry.reason.endswith("too hot")


def test_a_long_comment_is_read_from_azure_devops(discussion: Discussion) -> None:
    discussion.scene.ado.comment(ITEM, f"<div>{'word ' * 15_000}</div>")
    discussion.settle()
    [note] = discussion.in_sentry()
    assert "the rest is in Azure DevOps" in note


def test_a_long_comment_that_was_deleted_meanwhile_is_told(discussion: Discussion) -> None:
    scene = discussion.scene
    comment_id = scene.ado.comment(ITEM, f"<div>{'word ' * 15_000}</div>")
    scene.ado.delete_comment(ITEM, comment_id)
    discussion.settle()
    assert (discussion.in_sentry(), scene.outcomes()) == ([], ["comment-gone"])


def test_a_long_comment_on_an_item_that_moved_is_found(discussion: Discussion) -> None:
    scene = discussion.scene
    scene.ado.comment(ITEM, f"<div>{'word ' * 15_000}</div>")
    [event] = [each for each in discussion.from_ado if each.kind == "commented"]
    discussion.from_ado.clear()
    scene.ado.move(ITEM, "Scrum Team")
    discussion.from_ado.clear()
    discussion.deliver_from_ado(event)
    discussion.settle()
    assert len(discussion.in_sentry()) == 1


# Whatever is ours stays where it is


def test_what_was_carried_over_never_comes_back(discussion: Discussion) -> None:
    scene = discussion.scene
    scene.sentry.comment(ISSUE, SAID)
    scene.ado.comment(ITEM, "Hello")
    discussion.settle()
    assert (len(discussion.in_sentry()), len(scene.ado.discussion(ITEM))) == (1, 2)


def test_ours_is_known_by_its_id_where_its_mark_was_lost(discussion: Discussion) -> None:
    """A service may rewrite what it stores."""
    scene = discussion.scene
    scene.sentry.comment(ISSUE, SAID)
    discussion.deliver(discussion.from_sentry.pop())
    discussion.handle_all()
    [event] = [each for each in discussion.from_ado if each.kind == "commented"]
    discussion.from_ado.clear()
    assert event.comment is not None
    changed = ado_double.Comment(event.comment.id, "<p>Rewritten</p>", event.comment.by)
    discussion.deliver_from_ado(ado_double.Event("commented", event.item, comment=changed))
    discussion.settle()
    assert discussion.in_sentry() == []


def test_ours_in_sentry_is_known_by_its_id_where_its_mark_was_lost(discussion: Discussion) -> None:
    scene = discussion.scene
    scene.ado.comment(ITEM, "Hello")
    for event in discussion.from_ado:
        discussion.deliver_from_ado(event)
    discussion.from_ado.clear()
    discussion.handle_all()
    [hook] = discussion.from_sentry
    discussion.from_sentry.clear()
    scene.sentry.edit_comment(hook.comment_id, "Rewritten")
    discussion.settle()
    assert len(scene.ado.discussion(ITEM)) == 1


def test_a_person_who_begins_with_our_line_keeps_their_own_comment_from_travelling(
    discussion: Discussion,
) -> None:
    scene = discussion.scene
    forged = f'<p>Ann wrote in <a href="{scene.sentry.activity_url(ISSUE, "2")}">Sentry</a>:</p> no'
    scene.sentry.comment(ISSUE, "First")
    discussion.settle()
    scene.ado.comment(ITEM, forged)
    discussion.settle()
    assert discussion.in_sentry() == []
    scene.sentry.comment(ISSUE, "Second")
    discussion.settle()
    assert discussion.in_ado[-1] == "<p>Second</p>"
    assert len(scene.ado.discussion(ITEM)) == 3


def test_a_person_who_quotes_our_line_is_heard(discussion: Discussion) -> None:
    scene = discussion.scene
    scene.sentry.comment(ISSUE, "First")
    discussion.settle()
    [ours] = scene.ado.discussion(ITEM)
    scene.ado.comment(ITEM, f"<div>I agree:</div><blockquote>{ours}</blockquote>")
    discussion.settle()
    assert len(discussion.in_sentry()) == 1
    [note] = discussion.in_sentry()
    scene.sentry.comment(ISSUE, f"Thanks.\n\n> {note}")
    discussion.settle()
    assert len(scene.ado.discussion(ITEM)) == 3


def test_a_comment_of_an_item_that_nobody_linked_goes_nowhere(discussion: Discussion) -> None:
    scene = discussion.scene
    scene.ado.add_item("Other", 99)
    discussion.from_ado.clear()
    scene.ado.comment(99, "Hello")
    scene.calls.made.clear()
    discussion.settle()
    assert [each for each in scene.calls.made if "comment" in each] == []


def test_a_comment_waits_for_a_setting_and_for_a_service(discussion: Discussion) -> None:
    message = InboundMessage(SLUG, ITEM, 2, "commented", comment=SaidInAdo("7", "Ann", "Hello"))
    scene = discussion.scene
    for error, raised in (
        (Unavailable("sentry", "HTTP 503"), Throttled),
        (MissingSetting("SENTRY_TOKEN", "is missing"), Busy),
    ):
        scene.calls.meet("get_issue", error)
        with pytest.raises(raised):
            sync_ado_comment(message, scene.services)
    assert sync_ado_comment(message, scene.services) == ["commented"]
    assert sync_ado_comment(message, scene.services) == ["already-commented"]


@pytest.mark.parametrize(
    "trouble", [Throttled("sentry", "429", retry_after=300.0), Unauthorized("sentry", "HTTP 401")]
)
def test_an_edit_whose_answer_was_lost_is_in_doubt_until_it_is_looked_at(
    discussion: Discussion, trouble: SyncError
) -> None:
    """What was there before it is not called certain on account of a later try that came to nothing."""
    scene = discussion.scene
    comment_id = scene.sentry.comment(ISSUE, "a")
    discussion.settle()
    scene.sentry.edit_comment(comment_id, "b")
    scene.calls.meet("PATCH comment", Unavailable("ado", "timed out"), lands=True)
    discussion.deliver(discussion.from_sentry.pop(0))
    discussion.handle_all()
    assert discussion.in_ado == ["<p>b</p>"]
    scene.calls.meet("get_comment", trouble)
    scene.now = scene.services.outbound.moments()[0]
    discussion.handle_all()
    scene.sentry.edit_comment(comment_id, "a")
    discussion.settle()
    assert discussion.in_ado == ["<p>a</p>"]


@pytest.mark.parametrize("comes_first", ["created", "edited"])
def test_an_edit_is_taken_back_though_the_first_message_came_between(
    discussion: Discussion, comes_first: str
) -> None:
    """The answer to the edit was lost. What the item says by then is not what the first message told."""
    scene, queue = discussion.scene, discussion.scene.services.outbound
    comment = scene.sentry.comment(ISSUE, SAID)
    created = discussion.from_sentry.pop()
    if comes_first == "created":
        discussion.deliver(created)
        discussion.handle_all()
    scene.sentry.edit_comment(comment, "Second")
    discussion.deliver(discussion.from_sentry.pop())
    [number] = queue.visible()
    edited = queue.receive_one(number)
    call = "PATCH comment" if comes_first == "created" else "POST comments"
    scene.calls.meet(call, Died(), lands=True)
    with pytest.raises(Died):
        outbound_sync.handle(func.QueueMessage(body=edited.body), scene.services)
    assert discussion.in_ado == ["<p>Second</p>"]
    scene.now += 61.0
    discussion.deliver(created)
    discussion.handle_all()
    scene.sentry.edit_comment(comment, SAID)
    discussion.settle()
    outbound_sync.handle(func.QueueMessage(body=edited.body), scene.services)
    assert discussion.in_ado == [SHOWN]


def test_a_comment_that_landed_though_we_were_asked_to_wait_is_not_added_again(
    discussion: Discussion,
) -> None:
    """A 503 can name a wait, and what sent it may stand before the service."""
    scene = discussion.scene
    scene.calls.meet("POST comments", Throttled("ado", "HTTP 503", retry_after=5.0), lands=True)
    scene.sentry.comment(ISSUE, SAID)
    discussion.settle()
    assert discussion.in_ado == [SHOWN]
    scene.calls.meet("add_comment", Throttled("sentry", "HTTP 503", retry_after=5.0), lands=True)
    scene.ado.comment(ITEM, "<p>From here</p>")
    discussion.settle()
    assert len(discussion.in_sentry()) == 1
