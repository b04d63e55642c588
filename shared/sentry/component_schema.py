"""The schema to paste into Sentry's internal integration: ``python -m shared.sentry.component_schema SLUG``.

https://docs.sentry.io/organization/integrations/integration-platform/ui-components/issue-link/
"""

import json
import sys
from typing import Any

# So many required fields of a type can be chosen in the form; others are written as lines.
MOST_REQUIRED = 3
# Left empty, nothing is written until one side changes.
_INITIAL = {
    "type": "select",
    "label": "Copy status and assignee now",
    "name": "initial",
    "async": False,
    "options": [["sentry", "from Sentry to the work item"], ["ado", "from the work item to Sentry"]],
}


def component_schema(organization: str) -> dict[str, Any]:
    """Return the issue-link component of one organization.

    Sentry quirk: it resolves a URI against the webhook URL's host and drops that URL's path.
    """
    base = f"/api/sentry/{organization}"
    project = {
        "type": "select",
        "label": "Project",
        "name": "project",
        "uri": f"{base}/options/projects",
        "async": False,
    }
    return {
        "elements": [
            {
                "type": "issue-link",
                "link": {
                    "uri": f"{base}/issue-link/link",
                    "required_fields": [
                        project,
                        _select("Work item", "work_item", f"{base}/options/work-items"),
                    ],
                    "optional_fields": [_INITIAL],
                },
                "create": {
                    "uri": f"{base}/issue-link/create",
                    "required_fields": [
                        project,
                        _select("Type", "work_item_type", f"{base}/options/work-item-types"),
                        {"type": "text", "label": "Title", "name": "title", "default": "issue.title"},
                    ],
                    "optional_fields": [
                        {
                            "type": "textarea",
                            "label": "Description",
                            "name": "description",
                            "default": "issue.description",
                        },
                        *_required(base),
                        {
                            "type": "textarea",
                            "label": "Other fields, as name = value",
                            "name": "other_fields",
                        },
                        _select("Area", "area_path", f"{base}/options/areas"),
                        _select("Iteration", "iteration_path", f"{base}/options/iterations"),
                        {"type": "text", "label": "Tags", "name": "tags"},
                        {"type": "text", "label": "Parent", "name": "parent"},
                        _INITIAL,
                    ],
                },
            },
            {
                "type": "alert-rule-action",
                "title": "Create an Azure DevOps work item",
                "settings": {
                    "type": "alert-rule-settings",
                    "uri": f"{base}/alert-rule/save",
                    "description": "One work item for each issue, linked to it.",
                    "required_fields": [
                        project,
                        _select("Type", "work_item_type", f"{base}/options/work-item-types"),
                    ],
                    "optional_fields": [
                        _select("Area", "area_path", f"{base}/options/areas"),
                        {"type": "text", "label": "Tags", "name": "tags"},
                    ],
                },
            },
        ]
    }


def _required(base: str) -> list[dict[str, Any]]:
    """Return a choice for each of the first fields that a type still needs, if its values are limited.

    Sentry's schema does not change with the type that is chosen, so each is offered in its turn.
    """
    return [
        {
            **_select(f"Required field {place}", f"required_{place}", f"{base}/options/required-{place}"),
            "depends_on": ["project", "work_item_type"],
        }
        for place in range(1, MOST_REQUIRED + 1)
    ]


def _select(label: str, name: str, uri: str) -> dict[str, Any]:
    return {
        "type": "select",
        "label": label,
        "name": name,
        "uri": uri,
        "async": True,
        "skip_load_on_open": True,
        "depends_on": ["project"],
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m shared.sentry.component_schema SLUG")
    print(json.dumps(component_schema(sys.argv[1]), indent=2))
