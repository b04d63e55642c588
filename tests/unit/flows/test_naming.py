"""Ids as people have them: what is taken, what is looked up, and what belongs to somebody else."""

import pytest

from shared.domain.configuration import Configuration
from shared.domain.errors import Rejected
from shared.flows.naming import issue_name, work_item_named
from shared.store.organizations import Organization

SAAS = Organization(
    "fabrikam", Configuration(ado_url="https://dev.azure.com/fabrikam/", sentry_organization="acme"), ""
)
PREMISES = Organization(
    "home",
    Configuration(
        ado_url="https://tfs.corp.example/tfs/Main/",
        sentry_url="https://sentry.corp.example/",
        sentry_organization="acme",
    ),
    "",
)
NAMED_BY_SLUG = Organization("acme", Configuration(ado_url="https://dev.azure.com/fabrikam/"), "")
UNLOCATED = Organization("acme", Configuration(ado_account_id="x"), "")

A_LIST = "shows no single"
FOREIGN = "outside the connected"
NO_ISSUE = "must be an issue's number"
NO_ITEM = "must be the number of a work item"


@pytest.mark.parametrize(
    ("organization", "text", "name"),
    [
        (SAAS, 4507, "4507"),
        (SAAS, "4507", "4507"),
        (SAAS, " 4507\n", "4507"),
        (SAAS, "FE-1", "FE-1"),
        (SAAS, "fe-1a", "FE-1A"),
        (SAAS, "MY-SHOP_2-4QZ", "MY-SHOP_2-4QZ"),
        (SAAS, "https://acme.sentry.io/issues/4507/", "4507"),
        (SAAS, "https://acme.sentry.io/issues/4507", "4507"),
        (SAAS, "https://acme.sentry.io/issues/4507/?project=1&query=is%3Aunresolved#x", "4507"),
        (SAAS, "https://acme.sentry.io/issues/4507/events/9f1c/?project=1", "4507"),
        (SAAS, "https://acme.sentry.io/issues/FE-1/", "FE-1"),
        (SAAS, "https://sentry.io/organizations/acme/issues/4507/", "4507"),
        (SAAS, "https://us.sentry.io/organizations/ACME/issues/4507/", "4507"),
        (SAAS, "https://sentry.io/acme/frontend/issues/4507/", "4507"),
        (SAAS, "HTTPS://ACME.SENTRY.IO/issues/4507/", "4507"),
        # As a route hands it on.
        (SAAS, "https:%2F%2Facme.sentry.io%2Fissues%2F4507%2F", "4507"),
        (NAMED_BY_SLUG, "https://acme.sentry.io/issues/4507/", "4507"),
        (PREMISES, "https://sentry.corp.example/organizations/acme/issues/4507/", "4507"),
        (PREMISES, "https://sentry.corp.example/issues/4507/", "4507"),
        (PREMISES, "https://sentry.corp.example:443/acme/web/issues/4507/", "4507"),
    ],
)
def test_an_issue_is_taken_in_whatever_form(organization: Organization, text: str, name: str) -> None:
    assert issue_name(organization, text, "issue_id") == name


@pytest.mark.parametrize(
    ("organization", "text", "problem"),
    [
        (SAAS, None, NO_ISSUE),
        (SAAS, "", NO_ISSUE),
        (SAAS, "-1", NO_ISSUE),
        (SAAS, "#4507", NO_ISSUE),
        (SAAS, "4507 4508", NO_ISSUE),
        (SAAS, "9" * 21, NO_ISSUE),
        (SAAS, "٤٥", NO_ISSUE),
        (SAAS, "ftp://acme.sentry.io/issues/4507/", NO_ISSUE),
        (SAAS, "https://other.sentry.io/issues/4507/", FOREIGN),
        (SAAS, "https://other.sentry.io/organizations/acme/issues/4507/", FOREIGN),
        (SAAS, "https://acme.sentry.io/organizations/other/issues/4507/", FOREIGN),
        (SAAS, "https://sentry.io/organizations/other/issues/4507/", FOREIGN),
        (SAAS, "https://sentry.io/other/frontend/issues/4507/", FOREIGN),
        (SAAS, "https://sentry.io/organizations/acme/../other/issues/4507/", FOREIGN),
        (SAAS, "https://sentry.corp.example/organizations/acme/issues/4507/", FOREIGN),
        (SAAS, "https://acme.sentry.io.evil.example/issues/4507/", FOREIGN),
        (SAAS, "https://acme.sentry.io@evil.example/issues/4507/", FOREIGN),
        (SAAS, "https://[4507", FOREIGN),
        (PREMISES, "https://acme.sentry.io/issues/4507/", FOREIGN),
        (PREMISES, "https://sentry.corp.example:8443/issues/4507/", FOREIGN),
        (SAAS, "https://acme.sentry.io/issues/", A_LIST),
        (SAAS, "https://acme.sentry.io/issues/?query=is%3Aunresolved&id=4507", A_LIST),
        (SAAS, "https://acme.sentry.io/issues/errors-outages/", A_LIST),
        (SAAS, "https://acme.sentry.io/issues/views/4507/", A_LIST),
        (SAAS, "https://acme.sentry.io/alerts/rules/4507/", A_LIST),
        (SAAS, "https://sentry.io/organizations/acme/projects/4507/", A_LIST),
    ],
)
def test_what_names_no_issue_of_ours_is_refused_with_a_sentence(
    organization: Organization, text: str | None, problem: str
) -> None:
    with pytest.raises(Rejected, match=f"^issue_id .*{problem}"):
        issue_name(organization, text, "issue_id")


@pytest.mark.parametrize(
    ("organization", "text"),
    [
        (SAAS, 31),
        (SAAS, "31"),
        (SAAS, " 31 "),
        (SAAS, "0031"),
        (SAAS, "#31"),
        (SAAS, "AB#31"),
        (SAAS, "ab#31"),
        (SAAS, "https://dev.azure.com/fabrikam/Web%20Shop/_workitems/edit/31"),
        (SAAS, "https://dev.azure.com/fabrikam/_workitems/edit/31/?triage=true"),
        (SAAS, "https://fabrikam.visualstudio.com/Web/_workitems/edit/31"),
        (SAAS, "https://fabrikam.visualstudio.com/DefaultCollection/Web/_workitems?id=31&_a=edit"),
        (SAAS, "https://dev.azure.com/fabrikam/Web/_boards/board/t/Team/Stories/?workitem=31"),
        (SAAS, "https://dev.azure.com/fabrikam/Web/_sprints/taskboard/Team/Web/S1?workitem=31"),
        (SAAS, "https://dev.azure.com/fabrikam/_apis/wit/workItems/31"),
        (PREMISES, "https://tfs.corp.example/tfs/main/Web/_workitems/edit/31"),
        (PREMISES, "https://TFS.corp.example:443/tfs/Main/_workitems/edit/31"),
    ],
)
def test_a_work_item_is_taken_in_whatever_form(organization: Organization, text: str | int) -> None:
    assert work_item_named(organization, text, "work_item_id") == 31


@pytest.mark.parametrize(
    ("organization", "text", "problem"),
    [
        (SAAS, None, NO_ITEM),
        (SAAS, "", NO_ITEM),
        (SAAS, 0, NO_ITEM),
        (SAAS, "-31", NO_ITEM),
        (SAAS, "3.1", NO_ITEM),
        (SAAS, "FE-1", NO_ITEM),
        (SAAS, "9" * 16, NO_ITEM),
        (SAAS, "https://dev.azure.com/contoso/Web/_workitems/edit/31", FOREIGN),
        (SAAS, "https://contoso.visualstudio.com/_workitems/edit/31", FOREIGN),
        (SAAS, "https://dev.azure.com/fabrikam/../contoso/_workitems/edit/31", FOREIGN),
        (SAAS, "https://dev.azure.com/fabrikam/%2e%2e/contoso/_workitems/edit/31", FOREIGN),
        (SAAS, "https://dev.azure.com.evil.example/fabrikam/_workitems/edit/31", FOREIGN),
        (SAAS, "https://tfs.corp.example/fabrikam/_workitems/edit/31", FOREIGN),
        (SAAS, "https://dev.azure.com/_workitems/edit/31", FOREIGN),
        (PREMISES, "https://tfs.corp.example/tfs/Other/Web/_workitems/edit/31", FOREIGN),
        (PREMISES, "https://tfs.corp.example:8080/tfs/Main/Web/_workitems/edit/31", FOREIGN),
        (PREMISES, "https://dev.azure.com/tfs/Main/_workitems/edit/31", FOREIGN),
        (UNLOCATED, "https://dev.azure.com/fabrikam/_workitems/edit/31", FOREIGN),
        (SAAS, "https://dev.azure.com/fabrikam/Web/_workitems/recentlyupdated/", A_LIST),
        (SAAS, "https://dev.azure.com/fabrikam/Web/_queries/query/31/", A_LIST),
        (SAAS, "https://dev.azure.com/fabrikam/Web/_backlogs/backlog/Team/Stories", A_LIST),
        (SAAS, "https://dev.azure.com/fabrikam/Web/_git/shop/pullrequest/31", A_LIST),
    ],
)
def test_what_names_no_work_item_of_ours_is_refused_with_a_sentence(
    organization: Organization, text: str | int | None, problem: str
) -> None:
    with pytest.raises(Rejected, match=f"^work_item .*{problem}"):
        work_item_named(organization, text, "work_item")
