"""Settings and connection on the admin page: what is saved, what is refused, and somebody else's changes."""

import dataclasses

import pytest
from selenium.webdriver.common.keys import Keys

from simulator.ado.processes import BASIC
from tests.e2e.admin import COMMENTS, FABRIKAM, SWITCHES, Page, problem
from tests.e2e.app import eventually

# Each takes seconds, and there are many; make test-long runs them.
pytestmark = pytest.mark.long

# The document.


def test_a_new_organization_is_connected(page: Page) -> None:
    browser = page.open()
    browser.read("Connect a new organization")
    assert browser.find("#links") is None
    browser.fill("Azure DevOps address", page.pair.ado.organization_url)
    browser.fill("Sentry address", page.pair.sentry.url)
    browser.fill("Sentry organization", "acme")
    browser.press("Connect")
    browser.read("Connected.")
    browser.read("No links.")
    browser.read("Nothing needs you")
    stored = page.config
    assert (stored["ado_url"], stored["sentry_organization"]) == (page.pair.ado.organization_url, "acme")


def test_every_error_is_at_its_field_and_the_first_has_the_focus(page: Page) -> None:
    browser = page.open()
    browser.fill("Azure DevOps address", "ftp://example.com")
    browser.fill("Sentry address", "nowhere")
    browser.press("Connect")
    browser.read("Nothing was saved: correct 2 errors.")
    assert "https" in problem(browser, "Azure DevOps address")
    assert problem(browser, "Sentry address")
    assert browser.focused == browser.control("Azure DevOps address")
    assert page.pair.ask("GET", "config").status_code == 404


def test_an_error_goes_away_once_it_was_put_right(page: Page) -> None:
    browser = page.open()
    browser.press("Connect")
    browser.read("Nothing was saved: correct one error.")
    browser.fill("Azure DevOps address", page.pair.ado.organization_url)
    browser.press("Connect")
    browser.read("Connected.")
    assert browser.find("[aria-invalid], .error") is None


def test_the_switches_stand_in_the_order_of_the_fields_with_their_help(connected: Page) -> None:
    browser = connected.open("Settings")
    # Behind those of the form stands one that only the page knows.
    assert [each.text for each in browser.find_all(".switch label")] == [
        *SWITCHES,
        "Show each link on both sides",
    ]
    browser.read("A comment on an issue is copied to the discussion of its work items")


def test_the_bar_is_there_only_while_something_is_changed(connected: Page) -> None:
    browser = connected.open("Settings")
    assert browser.find("#bar") is None
    browser.press(COMMENTS)
    browser.read("Not saved yet.")
    browser.press("Links")
    assert browser.find("#bar") is not None
    browser.press("Settings")
    browser.press(COMMENTS)
    assert browser.find("#bar") is None
    browser.press("Add person")
    browser.type("ann@corp.example")
    browser.press("Discard")
    browser.read("Your changes were discarded.")
    assert browser.find("#bar") is None
    assert browser.find("#people input") is None


def test_a_save_changes_only_what_was_changed(connected: Page) -> None:
    browser = connected.open("Settings")
    browser.press(COMMENTS)
    # Keys that the form shows too, changed meanwhile by somebody else, are met as a conflict, and stay.
    connected.pair.configure(on_conflict="sentry", people={"ann@a.example": "ann@b.example"})
    browser.press("Save")
    browser.press("Keep editing mine")
    browser.press("Save")
    browser.read("Saved: Sync Sentry comments to Azure DevOps.")
    stored = connected.config
    assert (stored["sync_comments"], stored["on_conflict"]) == (True, "sentry")
    assert stored["people"] == {"ann@a.example": "ann@b.example"}


def test_what_would_change_is_told_and_nothing_is_stored(connected: Page) -> None:
    before = connected.config
    browser = connected.open("Settings")
    browser.press(COMMENTS)
    browser.press("Sentry wins")
    browser.press("What would change?")
    browser.read("Would change: ")
    said = browser.find("#document-said")
    assert said is not None
    assert {"sync_comments", "on_conflict"} <= set(said.text[:-1].replace(",", "").split())
    assert connected.config == before
    connected.saved()


def test_a_switch_is_saved(connected: Page) -> None:
    browser = connected.open("Settings")
    before = connected.config
    browser.press(COMMENTS)
    connected.saved()
    assert connected.config == {**before, "sync_comments": True}
    assert connected.open("Settings").control(COMMENTS).is_selected()


def test_a_switch_that_is_out_of_order_says_why_until_the_reason_is_gone(connected: Page) -> None:
    connected.pair.configure(issue_sync=False)
    browser = connected.open("Settings")
    browser.read("Issue sync is switched off for this organization")
    assert not browser.control(COMMENTS).is_enabled()
    browser.press(SWITCHES[0])
    browser.press(COMMENTS)
    connected.saved()
    assert (connected.config["issue_sync"], connected.config["sync_comments"]) == (True, True)


def test_categories_and_the_winner_of_a_conflict_are_chosen(connected: Page) -> None:
    browser = connected.open("Settings")
    browser.press("Resolved", inside='[data-path="done_categories"]')
    browser.press("Sentry wins")
    browser.press("with the first of them")
    connected.saved()
    assert (connected.config["done_categories"], connected.config["on_conflict"]) == (["Completed"], "sentry")
    assert connected.config["done_when"] == "any"


def test_an_error_of_a_group_is_shown_in_it(connected: Page) -> None:
    browser = connected.open("Settings")
    for category in ("Resolved", "Completed"):
        browser.press(category, inside='[data-path="done_categories"]')
    browser.press("Save")
    browser.read("Must name at least one category")
    assert browser.focused == browser.control("Resolved", inside='[data-path="done_categories"]')


# States.


def test_a_project_and_one_of_its_types_are_mapped(connected: Page) -> None:
    browser = connected.open("Settings")
    browser.choose("See and choose the states of another project", FABRIKAM)
    browser.press("Add project")
    card = connected.project()
    bug = f'{card} details[data-path$=".types.Bug"]'
    browser.choose("When resolved, set", "Closed (Completed)", inside=card)
    assert browser.focused == browser.control("When resolved, set", inside=card)
    browser.choose("When unresolved, set", "Active (In progress)", inside=card)
    browser.press_element(browser.find_all(f"{bug} > summary")[0])
    browser.choose("When resolved, set", "Resolved (Resolved)", inside=bug)
    browser.choose("When unresolved, set", "New (Proposed)", inside=bug)
    browser.press("Closed", inside=bug)
    connected.saved()
    assert connected.config["status_mapping"] == {
        connected.pair.ado.project_id(FABRIKAM): {
            "on_resolve": "Closed",
            "on_unresolve": "Active",
            "types": {"Bug": {"on_resolve": "Resolved", "on_unresolve": "New", "done_states": ["Closed"]}},
        }
    }
    browser.read("resolved → Resolved · unresolved → New")
    browser.read("resolved → Closed (as in the project) · unresolved → Active (as in the project)")


def test_what_would_be_written_by_category_is_shown(connected: Page) -> None:
    browser = connected.open("Settings")
    browser.choose("See and choose the states of another project", FABRIKAM)
    browser.press("Add project")
    browser.read("Bug resolved → Closed (by category) · unresolved → Active (by category)")


def test_types_of_which_nothing_is_linked_stand_behind_more_types(connected: Page) -> None:
    connected.pair.linked(kind="Bug")
    browser = connected.open("Settings")
    browser.choose("See and choose the states of another project", FABRIKAM)
    browser.press("Add project")
    browser.read("More types, of which nothing is linked")
    shown = [
        each.get_attribute("data-type") for each in browser.find_all(f"{connected.project()} [data-type]")
    ]
    assert shown == ["Bug"]
    browser.press("More types, of which nothing is linked")
    task = f'{connected.project()} [data-type="Task"]'
    browser.press_element(browser.find_all(f"{task} > summary")[0])
    browser.choose("When resolved, set", "Closed (Completed)", inside=task)
    browser.choose("When unresolved, set", "Active (In progress)", inside=task)
    connected.saved()
    [mapping] = connected.config["status_mapping"].values()
    assert mapping == {"types": {"Task": {"on_resolve": "Closed", "on_unresolve": "Active"}}}


def mapped(page: Page, **mapping: object) -> Page:
    page.pair.configure(status_mapping={page.pair.ado.project_id(FABRIKAM): mapping})
    return page


def test_a_mapping_is_changed_and_taken_away(connected: Page) -> None:
    browser = mapped(connected, on_resolve="Closed", on_unresolve="Active").open("Settings")
    browser.choose("When unresolved, set", "New (Proposed)", inside=connected.project())
    connected.saved()
    assert list(connected.config["status_mapping"].values()) == [
        {"on_resolve": "Closed", "on_unresolve": "New"}
    ]
    browser.press(f"Remove {FABRIKAM}")
    connected.saved()
    assert connected.config["status_mapping"] == {}
    browser.choose("See and choose the states of another project", FABRIKAM)


def test_half_a_mapping_is_refused_where_it_stands(connected: Page) -> None:
    browser = mapped(connected, on_resolve="Closed", on_unresolve="Active").open("Settings")
    browser.choose("When unresolved, set", "by category", inside=connected.project())
    browser.press("Save")
    browser.read("Resolve and unresolve status are required.")
    assert browser.find(f"{connected.project()} > .error") is not None
    assert browser.focused == browser.control("When resolved, set", inside=connected.project())


def take_away(page: Page, state: str) -> None:
    """Let somebody remove a state of bugs from the project's process."""
    catalog = page.pair.ado.catalog
    project = catalog.project(FABRIKAM)
    fewer = tuple(each for each in project.type("Bug").states if each.name != state)
    kinds = tuple(
        dataclasses.replace(kind, states=fewer) if kind.name == "Bug" else kind
        for kind in project.process.types
    )
    process = dataclasses.replace(project.process, types=kinds)
    catalog.projects[project.id] = dataclasses.replace(project, process=process)


def test_a_state_that_is_gone_meanwhile_is_refused_at_its_field(connected: Page) -> None:
    bug = {"on_resolve": "Resolved", "on_unresolve": "Active"}
    browser = mapped(connected, types={"Bug": bug}).open("Settings")
    browser.read("resolved → Resolved · unresolved → Active")
    inside = f'{connected.project()} details[data-path$=".types.Bug"]'
    browser.choose("When unresolved, set", "New (Proposed)", inside=inside)
    browser.press_element(browser.find_all(f"{inside} > summary")[0])  # closes it
    take_away(connected, "Resolved")
    browser.press("Save")
    browser.read("Nothing was saved: correct one error.")
    assert problem(browser, "When resolved, set", inside=inside) == "'Resolved' is no state of Bug"
    assert browser.focused == browser.control("When resolved, set", inside=inside)


def test_an_error_about_one_of_several_states_is_shown_with_them(connected: Page) -> None:
    browser = mapped(connected, types={"Bug": {"done_states": ["Resolved"]}}).open("Settings")
    browser.press("Removed", inside='[data-path="done_categories"]')
    take_away(connected, "Resolved")
    browser.press("Save")
    browser.read("Nothing was saved: correct one error.")
    states = f'{connected.project()} [data-path$=".types.Bug.done_states"]'
    error = browser.find(f"{states} > .error")
    assert error is not None
    assert error.text == "'Resolved' is no state of Bug"
    assert browser.focused == browser.control("New", inside=states)


def test_a_mapped_state_that_azure_devops_does_not_have_is_shown_as_such(connected: Page) -> None:
    bug = {"on_resolve": "Closed", "on_unresolve": "Active", "done_states": ["Resolved"]}
    mapped(connected, types={"Bug": bug})
    project = connected.pair.ado.catalog.project(FABRIKAM)
    connected.pair.ado.catalog.projects[project.id] = dataclasses.replace(project, process=BASIC)
    browser = connected.open("Settings")
    browser.read("Closed (not a state in Azure DevOps)")
    inside = f'{connected.project()} details[data-path$=".types.Bug"]'
    assert browser.control("Resolved", inside=inside).is_selected()


def test_the_rest_can_be_saved_while_azure_devops_cannot_be_asked(connected: Page) -> None:
    connected.pair.ado.fail_next(20, http_status=503)
    browser = connected.open("Settings")
    browser.read("Projects and states cannot be listed.")
    assert browser.find("#add-project") is None
    browser.press(COMMENTS)
    connected.saved()
    assert connected.config["sync_comments"] is True


def test_a_mapping_that_cannot_be_checked_is_not_saved_and_not_lost(connected: Page) -> None:
    mapped(connected, on_resolve="Closed", on_unresolve="Active")
    before = connected.config
    browser = connected.open("Settings")
    browser.choose("When unresolved, set", "New (Proposed)", inside=connected.project())
    browser.press(COMMENTS)
    connected.pair.ado.fail_next(20, http_status=503)
    browser.press("Save")
    browser.read("Azure DevOps cannot be reached")
    assert browser.control(COMMENTS).is_selected()
    assert connected.config == before


# What kind of done, and how a new work item looks.


def test_what_kind_of_done_is_chosen(connected: Page) -> None:
    browser = mapped(connected, on_resolve="Closed", on_unresolve="Active").open("Settings")
    browser.choose("When archived, set", "Resolved (Resolved)", inside=connected.project())
    browser.press("Add reason")
    browser.type("Duplicate")
    browser.press("in the next release")
    browser.press("Show each link on both sides")
    connected.saved()
    browser.read(f"Saved: reasons that archive, links on both sides, release, states of {FABRIKAM}.")
    stored = connected.config
    assert (stored["archive_reasons"], stored["resolve_in"]) == (["Duplicate"], "next_release")
    assert [each["on_archive"] for each in stored["status_mapping"].values()] == ["Resolved"]
    assert stored["back_links"] is True
    browser.press("Remove reason")
    browser.choose("When archived, set", "leave it as it is", inside=connected.project())
    connected.saved()
    assert connected.config["archive_reasons"] == []


def test_a_wrong_kind_of_done_is_said_beside_its_control(connected: Page) -> None:
    mapping = {"on_resolve": "Closed", "on_unresolve": "Active", "done_states": ["Resolved"]}
    browser = mapped(connected, **mapping).open("Settings")
    for reason in ("Duplicate", "duplicate"):
        browser.press("Add reason")
        browser.type(reason)
    browser.press("Save")
    browser.read("Names 'duplicate' a second time")
    assert len(browser.find_all("#reasons > div")) == 2
    assert browser.find("#reasons > div:last-child .error") is not None
    browser.press_element(browser.find_all("#reasons button")[1])
    browser.choose("When archived, set", "Resolved (Resolved)", inside=connected.project())
    browser.press("Save")
    browser.read("Nothing was saved: correct one error.")
    assert "is among done_states" in problem(browser, "When archived, set", inside=connected.project())


def add_defaults(page: Page, kind: str) -> str:
    """Press what opens the defaults of a type, and return their selector."""
    browser = page.browser
    browser.choose("Set what new work items of a project get", FABRIKAM)
    browser.press("Add defaults")
    browser.choose(f"Type of {FABRIKAM}", kind)
    browser.press("Add type")
    return f'[data-path="create.{page.pair.ado.project_id(FABRIKAM)}.{kind}"]'


def test_what_new_work_items_get_is_chosen_by_project_and_type(connected: Page) -> None:
    browser = connected.open("Settings")
    inside = add_defaults(connected, "Bug")
    browser.fill("Tags", "sentry; web", inside=inside)
    browser.press("Add field", inside=inside)
    browser.type("Microsoft.VSTS.Common.Priority", Keys.TAB, "1")
    connected.saved()
    browser.read(f"Saved: new work items of {FABRIKAM}.")
    fields = {"Microsoft.VSTS.Common.Priority": "1"}
    project = connected.pair.ado.project_id(FABRIKAM)
    assert connected.config["create"] == {project: {"Bug": {"tags": "sentry; web", "fields": fields}}}
    # What is loaded again is no change, and its type can be taken away.
    browser = connected.open("Settings")
    assert browser.find("#bar") is None
    assert browser.control("Tags", inside=inside).get_attribute("value") == "sentry; web"
    browser.press("Remove Bug")
    connected.saved()
    assert connected.config["create"] == {}


def test_a_default_that_azure_devops_would_not_take_is_said_beside_it(connected: Page) -> None:
    browser = connected.open("Settings")
    inside = add_defaults(connected, "Bug")
    browser.fill("Area", "Nowhere", inside=inside)
    for name, value in (("Microsoft.VSTS.Common.Priority", "7"), ("Custom.Nothing", "1")):
        browser.press("Add field", inside=inside)
        browser.type(name, Keys.TAB, value)
    browser.press("Save")
    browser.read("Nothing was saved: correct 3 errors.")
    assert "is no path of the project" in problem(browser, "Area", inside=inside)
    assert browser.focused == browser.control("Area", inside=inside)
    rows = [each.text for each in browser.find_all(f"{inside} fieldset > div > div")]
    assert "'7' is no value of Priority: choose one of 1, 2, 3, 4" in rows[0]
    assert "s no field of Bug, by its reference name" in rows[1]
    assert connected.config["create"] == {}


def test_a_value_keeps_its_type_and_a_field_that_is_named_twice_is_refused(connected: Page) -> None:
    project = connected.pair.ado.project_id(FABRIKAM)
    stored = {project: {"Bug": {"fields": {"Microsoft.VSTS.Common.Priority": 2}}}}
    connected.pair.configure(create=stored)
    browser = connected.open("Settings")
    inside = f'[data-path="create.{project}.Bug"]'
    browser.fill("Value", "1", inside=inside)
    browser.press("Add field", inside=inside)
    browser.type("microsoft.vsts.common.priority", Keys.TAB, "3")
    browser.press("Save")
    browser.read("Names a field a second time")
    browser.press_element(browser.find_all(f'{inside} [aria-label="Remove field"]')[1])
    connected.saved()
    assert connected.config["create"] == {project: {"Bug": {"fields": {"Microsoft.VSTS.Common.Priority": 1}}}}


def test_defaults_go_without_the_sync_and_wait_for_azure_devops(connected: Page) -> None:
    project = connected.pair.ado.project_id(FABRIKAM)
    connected.pair.configure(issue_sync=False, create={project: {"Bug": {"tags": "sentry"}}})
    browser = connected.open("Settings")
    inside = f'[data-path="create.{project}.Bug"]'
    browser.fill("Tags", "sentry; web", inside=inside)
    connected.saved()
    connected.pair.ado.fail_next(20, http_status=503)
    browser = connected.open("Settings")
    browser.read("Azure DevOps does not list its projects at this moment.")
    assert browser.find(inside) is None
    browser.press("in the next release")
    connected.saved()
    assert connected.config["resolve_in"] == "next_release"
    assert connected.config["create"] == {project: {"Bug": {"tags": "sentry; web"}}}


# People.


def test_people_are_added_and_removed(connected: Page) -> None:
    connected.pair.configure(people={"ann@corp.example": "ann@home.example"})
    browser = connected.open("Settings")
    browser.press("Remove person")
    browser.press("Add person")
    browser.type("Bob@corp.example", Keys.TAB, "bob@home.example")
    connected.saved()
    assert connected.config["people"] == {"bob@corp.example": "bob@home.example"}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [("ann@a.example", "ann@b.example"), ("", "ann@c.example")],
            "e-mail",
        ),
        (
            [("ann@a.example", "ann@b.example"), ("bob@a.example", "ann@b.example")],
            "ann@b.example already stands for ann@a.example",
        ),
        (
            [("ann@a.example", "ann@b.example"), ("Ann@a.example", "ann@c.example")],
            "Names an Azure DevOps person a second time",
        ),
        # One key of a document cannot be there twice: the app would never see the first.
        (
            [("ann@a.example", "ann@b.example"), ("ann@a.example", "ann@c.example")],
            "Names an Azure DevOps person a second time",
        ),
    ],
)
def test_people_who_cannot_be_told_apart_are_refused_in_their_row(
    connected: Page, rows: list[tuple[str, str]], sentence: str
) -> None:
    browser = connected.open("Settings")
    for ado, sentry in rows:
        browser.press("Add person")
        browser.type(ado, Keys.TAB, sentry)
    browser.press("Save")
    browser.read(sentence)
    eventually(lambda: browser.find("#people > div > .error"))
    assert connected.config["people"] == {}


# Somebody else.


def test_a_conflict_is_told_and_theirs_can_be_loaded(connected: Page) -> None:
    browser = connected.open("Settings")
    browser.press(COMMENTS)
    connected.pair.configure(on_conflict="sentry", people={"ann@a.example": "ann@b.example"})
    browser.press("Save")
    browser.read("Somebody else changed this document in the meantime. They changed: people, conflicts.")
    browser.press("Load theirs")
    browser.read("You now see their version.")
    assert browser.find("#bar") is None
    assert not browser.control(COMMENTS).is_selected()
    assert browser.control("Sentry wins").is_selected()
    assert connected.config["sync_comments"] is False


def test_a_conflict_can_be_ended_by_saving_mine(connected: Page) -> None:
    browser = connected.open("Settings")
    browser.press(COMMENTS)
    connected.pair.configure(on_conflict="sentry")
    browser.press("Save")
    browser.press("Keep editing mine")
    assert browser.control(COMMENTS).is_selected()
    connected.saved()
    assert (connected.config["sync_comments"], connected.config["on_conflict"]) == (True, "sentry")


def test_an_organization_that_somebody_disconnected_meanwhile_can_be_connected_again(connected: Page) -> None:
    browser = connected.open("Settings")
    browser.press(COMMENTS)
    connected.pair.ask("DELETE", "config")
    browser.press("Save")
    browser.read("They disconnected the organization.")
    browser.press("Keep editing mine")
    browser.press("Save")
    browser.read("Connected")
    assert connected.config["sync_comments"] is True


def test_a_key_of_a_person_that_is_wrong_is_marked_and_not_its_neighbor(connected: Page) -> None:
    browser = connected.open("Settings")
    browser.press("Add person")
    browser.type("ann@corp.example", Keys.TAB, "carol")
    browser.press("Save")
    browser.read("Nothing was saved: correct one error.")
    assert "carol" in problem(browser, "Sentry address", inside="#people")
    assert browser.focused == browser.control("Sentry address", inside="#people")


# Keys that this page has no control for.


def test_no_key_of_the_document_is_lost_or_hidden(connected: Page) -> None:
    """Whatever the app stores is on the page, by a control of its own or as JSON."""
    browser = connected.open("Settings")
    shown = "return [...document.querySelectorAll('#document [data-path]')].map((each) => each.dataset.path)"
    assert set(connected.config) <= set(browser.run(shown))


def test_comments_the_other_way_are_chosen(connected: Page) -> None:
    browser = connected.open("Settings")
    browser.choose("Sync Azure DevOps comments to Sentry", "those that begin with /sentry")
    connected.saved()
    browser.read("Saved: comments to Sentry.")
    assert connected.config["sync_comments_reverse"] == "marked"


def test_an_error_on_another_tab_opens_that_tab(connected: Page) -> None:
    browser = connected.open("Connection")
    browser.fill("Sentry address", "nowhere")
    browser.press("Settings")
    browser.press(COMMENTS)
    browser.press("Save")
    browser.read("Nothing was saved: correct one error.")
    assert browser.focused == browser.control("Sentry address")
    assert browser.address.endswith("#connection")


# The connection.


def test_another_address_asks_what_becomes_of_the_links(connected: Page) -> None:
    connected.pair.linked()
    browser = connected.open("Connection")
    browser.fill("Sentry organization", "elsewhere")
    connected.pair.sentry.rename("elsewhere")
    browser.press("Save")
    browser.read("Saved")  # The same organization under its new name.
    assert len(connected.pair.links()) == 1


def test_disconnecting_takes_the_name_of_the_organization(connected: Page) -> None:
    connected.pair.linked()
    browser = connected.open("Connection")
    label = f"Type {connected.pair.slug} to confirm"
    browser.fill(label, "something else")
    browser.press("Disconnect")
    browser.read(f"Type {connected.pair.slug} first.")
    browser.fill(label, connected.pair.slug)
    browser.press("Disconnect")
    browser.read("Connect a new organization")
    assert connected.pair.ask("GET", "config").status_code == 404
