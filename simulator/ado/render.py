"""How people, work items and events are spelled as JSON, for REST and for each version of a hook."""

import html
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.ado.catalog import Catalog, Person
from simulator.ado.items import Comment, Event, Revision, Update, WorkItem, instant
from simulator.ado.patch import Relation, Value

Identity = Callable[[Person], Any]

# ADO quirk: these come only with $expand=all or fields (azure-devops-cli-extension recordings).
ON_REQUEST = frozenset(
    {
        "System.AuthorizedAs",
        "System.AuthorizedDate",
        "System.Id",
        "System.IsDeleted",
        "System.Rev",
        "System.RevisedDate",
        "System.Watermark",
    }
)
FOR_EVER = "9999-01-01T00:00:00Z"


@dataclass(frozen=True)
class Urls:
    """Addresses under one base, which is the organization's URL without a slash at its end."""

    base: str

    def identity(self, person: Person) -> str:
        return f"{self.base}/_apis/Identities/{person.id}"

    def work_item(self, project_id: str, work_item_id: int) -> str:
        # ADO quirk: whatever way a work item was asked for, its URL names the project, by GUID.
        return f"{self.base}/{project_id}/_apis/wit/workItems/{work_item_id}"


def identity_ref(urls: Urls) -> Identity:
    """Spell people as REST and resource version 5.1 do."""

    def spell(person: Person) -> dict[str, Any]:
        avatar = f"{urls.base}/_apis/GraphProfile/MemberAvatars/{person.descriptor}"
        return {
            "displayName": person.name,
            "url": urls.identity(person),
            "_links": {"avatar": {"href": avatar}},
            "id": person.id,
            "uniqueName": person.unique_name,
            "imageUrl": avatar,
            "descriptor": person.descriptor,
        }

    return spell


def identity_text(person: Person) -> str:
    """Spell people as resource version 1.0 does."""
    return person.text


def identity_names(person: Person) -> dict[str, str]:
    """Spell people as resource version 3.1 does: one text under three names."""
    return {"name": person.text, "displayName": person.text, "uniqueName": person.text}


def spelled(value: Value | None, identity: Identity) -> Any:
    return identity(value) if isinstance(value, Person) else value


def visible(fields: Mapping[str, Value], identity: Identity) -> dict[str, Any]:
    return {name: spelled(value, identity) for name, value in fields.items() if name not in ON_REQUEST}


def relation_json(relation: Relation) -> dict[str, Any]:
    return {"rel": relation.rel, "url": relation.url, "attributes": dict(relation.attributes)}


@dataclass(frozen=True)
class Renderer:
    """Spells an organization's work items with the URL form that was asked for."""

    catalog: Catalog
    urls: Urls

    def url(self, work_item: WorkItem) -> str:
        return self.urls.work_item(self.catalog.project(work_item.project).id, work_item.id)

    def work_item(
        self,
        work_item: WorkItem,
        revision: Revision | None = None,
        *,
        only: Collection[str] = (),
        expand: str = "none",
    ) -> dict[str, Any]:
        """Spell one revision for REST; ``only`` are case-folded reference names, empty for all."""
        revision = revision or work_item.latest
        identity = identity_ref(self.urls)
        everything = {**revision.fields, "System.Id": work_item.id, "System.Rev": revision.rev}
        if only:
            fields = {name: spelled(v, identity) for name, v in everything.items() if name.casefold() in only}
        elif expand in {"all", "fields"}:
            fields = {name: spelled(value, identity) for name, value in everything.items()}
        else:
            fields = visible(revision.fields, identity)
        url = self.url(work_item)
        body: dict[str, Any] = {"id": work_item.id, "rev": revision.rev, "fields": fields, "url": url}
        if expand in {"all", "relations"} and work_item.relations:
            body["relations"] = [relation_json(relation) for relation in work_item.relations]
        # ADO quirk: with only some fields there are no links (azure-devops-cli-extension recordings).
        if not only:
            body["_links"] = self._links(work_item, url)
        return body

    def update(self, work_item: WorkItem, update: Update, identity: Identity) -> dict[str, Any]:
        """Spell one change: only the ends that exist, and no fields at all for a change of links."""
        url = self.url(work_item)
        later = work_item.updates[update.number :]
        body: dict[str, Any] = {
            "id": update.number,
            "workItemId": work_item.id,
            "rev": update.rev,
            "revisedBy": {"name": update.by.text, **identity_ref(self.urls)(update.by)},
            "revisedDate": instant(later[0].at) if later else FOR_EVER,
            "_links": {
                "self": {"href": f"{url}/updates/{update.number}"},
                "workItemUpdates": {"href": f"{url}/updates"},
                "parent": {"href": url},
                "html": {"href": self._web_url(work_item)},
            },
            "url": f"{url}/updates/{update.number}",
        }
        if update.fields:
            body["fields"] = {name: _ends(*ends, identity) for name, ends in update.fields.items()}
        if update.added or update.removed:
            changed = {"added": update.added, "removed": update.removed}
            body["relations"] = {
                end: [relation_json(relation) for relation in ends] for end, ends in changed.items() if ends
            }
        return body

    def comment(self, work_item: WorkItem, comment: Comment) -> dict[str, Any]:
        by = identity_ref(self.urls)(comment.by)
        return {
            "workItemId": work_item.id,
            "id": comment.id,
            "version": comment.version,
            "text": comment.text,
            "createdBy": by,
            "createdDate": instant(comment.at),
            "modifiedBy": by,
            "modifiedDate": instant(comment.edited_at or comment.at),
            "isDeleted": False,
            "format": "html",
            "url": f"{self.url(work_item)}/comments/{comment.id}",
        }

    def resource(self, event: Event, version: str) -> dict[str, Any]:
        """Spell the resource of a service hook event in one of the three known versions."""
        identity = {"1.0": identity_text, "3.1-preview.3": identity_names}.get(
            version, identity_ref(self.urls)
        )
        work_item, url = event.work_item, self.url(event.work_item)
        fields = visible(work_item.fields, identity)
        if event.kind == "updated":
            update = self.update(work_item, work_item.updates[-1], identity)
            if "fields" in update:
                before = instant(work_item.revisions[-2].at) if work_item.rev > 1 else FOR_EVER
                update["fields"]["System.RevisedDate"] = {"oldValue": before, "newValue": FOR_EVER}
            revision = {
                "id": work_item.id,
                "rev": work_item.rev,
                "fields": fields,
                "_links": {
                    "self": {"href": f"{url}/revisions/{work_item.rev}"},
                    "workItemRevisions": {"href": f"{url}/revisions"},
                    "parent": {"href": url},
                },
                "url": f"{url}/revisions/{work_item.rev}",
            }
            # ADO quirk: the later resource versions leave the relations out (aggregator-cli test data).
            if version == "1.0" and work_item.relations:
                revision["relations"] = [relation_json(relation) for relation in work_item.relations]
            return {**update, "revision": revision}
        if event.kind == "deleted":
            url = url.replace("/workItems/", "/recyclebin/")
        body = {
            "id": work_item.id,
            "rev": work_item.rev,
            "fields": fields,
            "_links": self._links(work_item, url),
            "url": url,
        }
        if event.comment is not None:
            at = f"{url}/comments/{event.comment.id}/versions/1"
            body["commentVersionRef"] = {"commentId": event.comment.id, "version": 1, "url": at}
        return body

    def _web_url(self, work_item: WorkItem) -> str:
        return f"{self.urls.base}/web/wi.aspx?pcguid={self.catalog.collection_id}&id={work_item.id}"

    def message(self, event: Event) -> dict[str, str]:
        by = event.work_item.latest.by.name
        kind = event.work_item.fields["System.WorkItemType"]
        text = f"{kind} #{event.work_item.id} ({event.work_item.title}) {event.kind} by {by}"
        return {"text": text, "html": html.escape(text), "markdown": text}

    def containers(self, project_id: str, *, is_server: bool) -> dict[str, Any]:
        """Say where an event comes from; a Server has a server where Services have an account."""
        base = f"{self.urls.base}/"
        host = {"id": self.catalog.account_id, "baseUrl": base}
        return {
            "collection": {"id": self.catalog.collection_id, "baseUrl": base},
            ("server" if is_server else "account"): host,
            "project": {"id": project_id, "baseUrl": base},
        }

    def _links(self, work_item: WorkItem, url: str) -> dict[str, Any]:
        return {
            "self": {"href": url},
            "workItemUpdates": {"href": f"{url}/updates"},
            "workItemRevisions": {"href": f"{url}/revisions"},
            "workItemComments": {"href": f"{url}/comments"},
            "html": {"href": f"{self.url(work_item).replace('/_apis/wit/workItems/', '/_workitems/edit/')}"},
        }


def _ends(old: Value | None, new: Value | None, identity: Identity) -> dict[str, Any]:
    # ADO quirk: an empty end is left out: an unassignment has an oldValue only (Sentry's recorded hooks).
    ends = {"oldValue": old, "newValue": new}
    return {end: spelled(value, identity) for end, value in ends.items() if value is not None}
