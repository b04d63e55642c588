"""Where people see what is linked."""

from shared.domain.pages import issue_page


def test_an_issue_has_its_page_in_its_organization() -> None:
    page = issue_page("https://sentry.io/", "acme", "100")
    assert page == "https://sentry.io/organizations/acme/issues/100/"
