"""Who is assigned to work items: how Azure DevOps writes them, each with the name that people read."""

from typing import Any

from shared.ado.answers import Listed, QueryAnswer
from shared.ado.client import AdoClient
from shared.ado.identity import assignee_from_identity, name_from_identity
from shared.domain.model import Person, Stranger
from shared.domain.names import name_in

_ASSIGNED_TO = "System.AssignedTo"
# As many work items as one batch takes.
_WORK_ITEMS = 200
_RECENT = (
    "SELECT [System.Id] FROM WorkItems WHERE [System.AssignedTo] <> '' ORDER BY [System.ChangedDate] DESC"
)


# https://learn.microsoft.com/rest/api/azure/devops/wit/wiql/query-by-wiql
# https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/get-work-items-batch
def recent_assignees(ado: AdoClient) -> dict[str, str]:
    """Return the names of whom the work items that changed last are assigned to, by address or account."""
    query, limit = {"query": _RECENT}, {"$top": _WORK_ITEMS}
    ids = ado.call("POST", ("_apis", "wit", "wiql"), QueryAnswer, json=query, params=limit).ids[:_WORK_ITEMS]
    if not ids:
        return {}
    wanted = {"ids": ids, "fields": [_ASSIGNED_TO], "errorPolicy": "omit"}
    answer = ado.call("POST", ("_apis", "wit", "workitemsbatch"), Listed[Any], json=wanted)
    found: dict[str, str] = {}
    for item in answer.value:
        fields = item.get("fields") if isinstance(item, dict) else None
        identity = fields.get(_ASSIGNED_TO) if isinstance(fields, dict) else None
        match assignee_from_identity(identity):
            case Person(key) | Stranger(_, key) if name_in(key):
                found.setdefault(key, name_from_identity(identity))
    return found
