"""One Azure DevOps organization without a socket: everything a request, a person or a test can do to it."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from simulator.ado.allowance import Allowance
from simulator.ado.catalog import Person, Project, default_catalog
from simulator.ado.delivery import Courier, Delivery, Weather
from simulator.ado.faults import Fault, Faults
from simulator.ado.hooks import RIGHTS, STATUSES, Hooks, Subscription
from simulator.ado.items import Clock, Comment, Event, Wish, WorkItem, WorkItems, utc_now
from simulator.ado.patch import Patch
from simulator.ado.processes import Process
from simulator.ado.render import Renderer, Urls
from simulator.ado.revisions import FeedModes, RevisionLog
from simulator.ado.search import SearchIndex

TOKEN = "ado-token"  # noqa: S105 - a password of the simulator, known to all
ANN = "ann@corp.example"


class Call(NamedTuple):
    method: str
    path: str
    http_status: int


class Organization:
    """The organization and the direct ways to change and inspect it; every public method takes the one lock.

    ``time_scale`` shrinks the service's waits (retries, probation, the search index's lag): 0.01 makes a
    minute 0.6 seconds. ``search_lag`` None means that the index only moves with ``reindex``. The
    ``newest_version`` of the REST API is 7.2 on Services, 6.1 on Server 2020 and 5.1 on Server 2019.
    """

    def __init__(
        self,
        name: str = "fabrikam",
        *,
        token: str = TOKEN,
        projects: int = 5,
        time_scale: float = 1.0,
        search_lag: float | None = None,
        delivery_workers: int = 1,
        seed: int = 0,
        now: Clock = utc_now,
        is_server: bool = False,
        newest_version: float = 7.2,
    ) -> None:
        self.name = name
        self.newest_version = newest_version
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.catalog = default_catalog(name, projects=projects)
        self.service = self.catalog.add_person("Sync Service", "sync@corp.example")
        self.tokens: dict[str, Person] = {token: self.service}
        # Those of our token; None is full access.
        self.scopes: frozenset[str] | None = None
        self.primary_url = f"https://dev.azure.com/{name}"
        self.work_items = WorkItems(self.catalog, self._announce, now)
        self.hooks = Hooks(self.catalog, self._renderer, self._send, now)
        self.hooks.is_server = is_server
        # No document says that this is the id that deliveries carry: a test may have it another one.
        self.instance_id = self.catalog.collection_id if is_server else self.catalog.account_id
        self.index = SearchIndex(self.catalog, self.work_items.all, now)
        self.index.lag = None if search_lag is None else timedelta(seconds=search_lag * time_scale)
        self.revision_log = RevisionLog(lambda: now().timestamp())
        self.feed_modes = FeedModes()
        self.allowance = Allowance(now=lambda: now().timestamp())
        self.faults = Faults()
        self.calls: list[Call] = []
        # By so many seconds the server's clock is ahead, as its answers date themselves.
        self.clock_ahead = 0.0
        self._courier = Courier(
            self.lock, self.hooks, time_scale=time_scale, workers=delivery_workers, seed=seed
        )

    def start(self) -> None:
        self._courier.start()

    def stop(self) -> None:
        self.stopping.set()
        self._courier.stop()

    def _renderer(self) -> Renderer:
        return Renderer(self.catalog, Urls(self.primary_url))

    def _announce(self, event: Event) -> None:
        self.revision_log.write(event.work_item.id, event.work_item.rev)
        self.hooks.announce(event)

    def _send(self, notification: Any) -> None:
        self._courier.send(notification)

    # What people do.

    def rename(self, name: str) -> None:
        """Give the organization another name, and with it another address; it stays the same one."""
        with self.lock:
            self.primary_url = f"{self.primary_url.removesuffix(self.name)}{name}"
            self.name = name

    def add_project(self, name: str, process: Process) -> Project:
        with self.lock:
            return self.catalog.add_project(name, process)

    def disable_type(self, project: str, kind: str) -> None:
        with self.lock:
            self.catalog.disable_type(project, kind)

    def add_person(self, name: str, unique_name: str) -> Person:
        with self.lock:
            return self.catalog.add_person(name, unique_name)

    def add_item(
        self,
        title: str = "Fix login",
        work_item_id: int | None = None,
        /,
        *,
        kind: str = "Bug",
        project: str = "Fabrikam-Fiber",
        actor: str = ANN,
        **fields: Any,
    ) -> WorkItem:
        """Create a work item; ``fields`` go by reference name, the state may be any of the type."""
        with self.lock:
            patch = Patch(fields={"System.Title": title, **fields})
            return self.work_items.create(
                project, kind, patch, self._wish(actor), work_item_id=work_item_id
            ).snapshot()

    def edit(self, work_item_id: int, *, actor: str = ANN, **fields: Any) -> WorkItem:
        """Change fields as a person would in the browser, with all rules; "" empties a field."""
        document = [
            {"op": "replace", "path": f"/fields/{name}", "value": value} for name, value in fields.items()
        ]
        return self.patch(work_item_id, document, actor=actor)

    def patch(self, work_item_id: int, document: list[dict[str, Any]], *, actor: str = ANN) -> WorkItem:
        with self.lock:
            work_item = self.work_items.get(work_item_id)
            return self.work_items.patch(work_item, Patch.from_json(document), self._wish(actor)).snapshot()

    def move(self, work_item_id: int, project: str, *, actor: str = ANN) -> WorkItem:
        """Move a work item to another project, to the root of its areas and iterations."""
        with self.lock:
            name = self.catalog.project(project).name
        paths = ("System.TeamProject", "System.AreaPath", "System.IterationPath")
        return self.edit(work_item_id, actor=actor, **dict.fromkeys(paths, name))

    def comment(self, work_item_id: int, text: str, *, actor: str = ANN) -> Comment:
        with self.lock:
            return self.work_items.comment(self.work_items.get(work_item_id), text, self._wish(actor))

    def edit_comment(self, work_item_id: int, comment_id: int, text: str, *, actor: str = ANN) -> Comment:
        with self.lock:
            work_item = self.work_items.get(work_item_id)
            return self.work_items.edit_comment(work_item, comment_id, text, self._wish(actor))

    def delete_comment(self, work_item_id: int, comment_id: int, *, actor: str = ANN) -> None:
        with self.lock:
            work_item = self.work_items.get(work_item_id)
            self.work_items.delete_comment(work_item, comment_id, self._wish(actor))

    def delete(self, work_item_id: int, *, actor: str = ANN) -> None:
        with self.lock:
            self.work_items.delete(self.work_items.get(work_item_id), self._wish(actor).by)

    def restore(self, work_item_id: int, *, actor: str = ANN) -> None:
        with self.lock:
            self.work_items.restore(self.work_items.get_deleted(work_item_id), self._wish(actor).by)

    def _wish(self, actor: str) -> Wish:
        person = self.catalog.find_person(actor)
        if person is None:
            raise LookupError(f"{actor} is nobody in {self.name}; add_person first")
        return Wish(person)

    # What a test inspects.

    def item(self, work_item_id: int) -> WorkItem:
        """Read a work item as it stands now, or raise the service's 404."""
        with self.lock:
            return self.work_items.get(work_item_id).snapshot()

    def project_id(self, name: str) -> str:
        with self.lock:
            return self.catalog.project(name).id

    @property
    def deliveries(self) -> list[Delivery]:
        with self.lock:
            return list(self._courier.deliveries)

    @property
    def lost_events(self) -> list[tuple[str, Event]]:
        """List the events that restricted or disabled subscriptions missed, by subscription id."""
        with self.lock:
            return list(self.hooks.lost)

    @property
    def subscriptions(self) -> list[Subscription]:
        with self.lock:
            return list(self.hooks)

    def wait_for_deliveries(self, timeout: float = 10.0) -> None:
        """Wait until every event has been delivered or given up."""
        if not self._courier.wait(timeout):
            raise TimeoutError(f"deliveries are still under way after {timeout} s")

    # What a test or the weather does.

    def subscribe(
        self,
        url: str,
        event_type: str = "workitem.updated",
        *,
        version: str = "1.0",
        project: str = "",
        **inputs: str,
    ) -> str:
        """Subscribe a receiver without a request; ``inputs`` are consumer inputs. Returns its id."""
        with self.lock:
            filters = {"projectId": self.catalog.project(project).id} if project else {}
            wanted = {
                "publisherId": "tfs",
                "eventType": event_type,
                "resourceVersion": version,
                "consumerId": "webHooks",
                "consumerActionId": "httpRequest",
                "publisherInputs": filters,
                "consumerInputs": {"url": url, **inputs},
            }
            return self.hooks.add(wanted, self.service).id

    def set_subscription_status(self, subscription_id: str, status: str) -> None:
        if status not in STATUSES:
            raise ValueError(f"{status} is no subscription status")
        with self.lock:
            self.hooks.get(subscription_id).status = status

    def deny(self, right: str, *, project: str = "", person: Person | None = None) -> None:
        """Take a right to subscriptions (View, Edit or Delete) from our account, or from somebody."""
        if right not in RIGHTS:
            raise ValueError(f"{right} is no right to subscriptions")
        with self.lock:
            where = self.catalog.project(project).id if project else ""
            self.hooks.denied.add(((person or self.service).id, right, where))

    def allow(self) -> None:
        """Give back every right to subscriptions."""
        with self.lock:
            self.hooks.denied.clear()

    def deactivate(self, person: Person) -> None:
        """Have somebody leave: their subscriptions are disabled."""
        with self.lock:
            self.hooks.deactivate(person)

    def unsubscribe(self, subscription_id: str) -> None:
        """Remove a subscription, as a person does in the project's settings."""
        with self.lock:
            self.hooks.remove(subscription_id)

    def probe(self, subscription_id: str) -> None:
        """Let a restricted subscription make its next attempt now."""
        self._courier.probe(subscription_id)

    @contextmanager
    def held_deliveries(self, *, backwards: bool = False) -> Iterator[None]:
        """Hold events back for a while, then let them go, in order or in reverse."""
        self._courier.hold()
        try:
            yield
        finally:
            self._courier.release(backwards=backwards)

    def set_weather(
        self, *, delay: float = 0, drop: float = 0, duplicate: float = 0, shuffle: float = 0
    ) -> None:
        """Choose how events travel: seconds of delay (scaled), and shares (0 to 1) of the rest."""
        with self.lock:
            self._courier.weather = Weather(delay, drop, duplicate, shuffle)

    def fail_next(
        self,
        times: int = 1,
        http_status: int = 503,
        headers: Mapping[str, str] | None = None,
        body: str | dict[str, Any] = "",
        *,
        method: str | None = None,
        path: str = "",
    ) -> None:
        """Refuse the next requests whose method and path (an expression) match."""
        is_text = isinstance(body, str)
        content_type = "text/plain" if is_text else "application/json"
        fault = Fault(
            http_status,
            {"Content-Type": f"{content_type}; charset=utf-8", **(headers or {})},
            body if isinstance(body, str) else json.dumps(body),
        )
        self.meet(fault, times, method=method, path=path)

    def meet(self, fault: Fault, times: int = 1, *, method: str | None = None, path: str = "") -> None:
        """Order one of the faults of ``simulator.ado.faults``."""
        with self.lock:
            self.faults.order(fault, times, method=method, path=path)

    def reindex(self) -> None:
        with self.lock:
            self.index.reindex()

    def set_search_info_code(self, info_code: int) -> None:
        """Make the search index unready (1 and 2: being built) or ready again (0)."""
        with self.lock:
            self.index.info_code = info_code

    def seed(self) -> None:
        """Add the work items of the demonstration, one for each process, number 31 among them."""
        self.add_item("Fix login", 31, **{"System.AssignedTo": ANN})
        self.add_item("Checkout times out", kind="User Story")
        self.add_item("Search misses umlauts", kind="Product Backlog Item", project="Scrum Team")
        self.add_item("Order the board", kind="Issue", project="Basic Board")
        self.add_item("Audit trail is incomplete", project="CMMI Works")
        self.add_item("Drucker antwortet nicht", kind="Störung", project="Tailored")
        self.reindex()
