"""The canned events that the "Test" button of a subscription sends, about work items that do not exist."""

from typing import Any

# ADO quirk: the event ids are the same in every organization. Only that of an update was seen live
# (aggregator-cli, azure-devops-docs issue 11606); the others are those of the documentation's samples.
CANNED_IDS = {
    "workitem.created": "d2d46fb1-dba5-403c-9373-427583f19e8c",
    "workitem.updated": "27646e0e-b520-4d2b-9411-bba7524947cd",
    "workitem.deleted": "72da0ade-0709-40ee-beb7-104287bf7e84",
    "workitem.restored": "1ca023d6-6cff-49dd-b3d1-302b69311810",
    "workitem.commented": "fb2617ed-60df-4518-81fa-749faa6c5cd6",
}
BASE = "http://fabrikam-fiber-inc.visualstudio.com/DefaultCollection"
WORK_ITEM = f"{BASE}/_apis/wit/workItems/5"
# No container of a canned event has a baseUrl.
CONTAINERS = {
    "collection": {"id": "c12d0eb8-e382-443b-9f9c-c52cba5014c2"},
    "account": {"id": "f844ec47-a9db-4511-8281-8b63f4eaf94e"},
    "project": {"id": "be9b3917-87e6-42a4-a549-2bc06a7a878f"},
}
JAMAL = {
    "id": "e5a5f7f8-6507-4c34-b397-6c4818e002f4",
    "displayName": "Jamal Hartnett",
    "uniqueName": "Jamal Hartnett",
}
FIELDS = {
    "System.AreaPath": "FabrikamCloud",
    "System.TeamProject": "FabrikamCloud",
    "System.IterationPath": r"FabrikamCloud\Release 1\Sprint 1",
    "System.WorkItemType": "Bug",
    "System.State": "New",
    "System.Reason": "New defect reported",
    "System.CreatedDate": "2014-07-15T17:42:44.663Z",
    # Identities are objects here although the resource version says 1.0.
    "System.CreatedBy": JAMAL,
    "System.ChangedDate": "2014-07-15T17:42:44.663Z",
    "System.ChangedBy": JAMAL,
    "System.Title": "Some great new idea!",
}


def _update() -> dict[str, Any]:
    # ADO quirk: the canned update is about work item 0, its numbers are strings, and nobody is "unassigned".
    return {
        "id": 2,
        "workItemId": 0,
        "rev": 2,
        "revisedBy": JAMAL,
        "revisedDate": "0001-01-01T00:00:00",
        "fields": {
            "System.Rev": {"oldValue": "1", "newValue": "2"},
            "System.AuthorizedDate": {
                "oldValue": "2014-07-15T16:48:44.663Z",
                "newValue": "2014-07-15T17:42:44.663Z",
            },
            "System.State": {"oldValue": "New", "newValue": "Approved"},
            "System.AssignedTo": {"oldValue": "unassigned", "newValue": "Jamal Hartnett"},
        },
        "url": f"{WORK_ITEM}/updates/2",
        "revision": {"id": 5, "rev": 2, "fields": FIELDS, "url": f"{WORK_ITEM}/revisions/2"},
    }


def canned_event(event_type: str) -> dict[str, Any]:
    """Write the event body, without the subscription and notification ids that the sender adds."""
    verb = event_type.removeprefix("workitem.")
    text = f"Bug #5 (Some great new idea!) {verb} by Jamal Hartnett.\r\n({BASE}/web/wi.aspx?id=5)"
    message = {"text": text, "html": text, "markdown": text}
    whole = {"id": 5, "rev": 1, "fields": FIELDS, "url": WORK_ITEM}
    return {
        "id": CANNED_IDS[event_type],
        "eventType": event_type,
        "publisherId": "tfs",
        "message": message,
        "detailedMessage": message,
        "resource": _update() if verb == "updated" else whole,
        "resourceVersion": "1.0",
        "resourceContainers": CONTAINERS,
        "createdDate": "2026-01-01T10:00:06.5943909Z",
    }
