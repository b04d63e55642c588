"""Reading the hyperlinks of many work items at once: an odd one hides no other, and is counted."""

from collections.abc import Iterator
from typing import Any

import pytest
import responses

from shared.ado.auth import personal_access_token
from shared.ado.back_links import hyperlinks_of, items_with_hyperlinks
from shared.ado.client import AdoClient
from shared.domain.addresses import AddressPolicy
from shared.domain.errors import Unavailable
from shared.http import BackOff, new_session

BASE = "https://dev.azure.com/fabrikam/"
HYPERLINK = {"rel": "Hyperlink", "url": "https://sentry.io/1", "attributes": {"comment": "Sentry issue"}}
PARENT = {"rel": "System.LinkTypes.Hierarchy-Reverse", "url": f"{BASE}_apis/wit/workItems/1"}


@pytest.fixture
def ado() -> Iterator[AdoClient]:
    with new_session(AddressPolicy()) as session:
        yield AdoClient(BASE, session, personal_access_token("pat"), BackOff())


@responses.activate
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"id": 31}, {"id": "32"}, {"id": 33}], ([31, 33], True, 1)),
        ([{"id": each} for each in range(1, 2_000)] + [None], ([*range(1, 2_000)], False, 1)),
        ([], ([], True, 0)),
    ],
)
def test_an_odd_row_hides_no_other_and_makes_no_page_the_last(
    ado: AdoClient, rows: list[Any], expected: tuple[list[int], bool, int]
) -> None:
    responses.post(f"{BASE}_apis/wit/wiql", json={"workItems": rows})
    assert items_with_hyperlinks(ado, 0) == expected


@responses.activate
def test_a_page_of_odd_rows_leads_nowhere(ado: AdoClient) -> None:
    responses.post(f"{BASE}_apis/wit/wiql", json={"workItems": [{"id": "32"}]})
    with pytest.raises(Unavailable, match="cannot be read"):
        items_with_hyperlinks(ado, 0)


@responses.activate
@pytest.mark.parametrize("answer", [{}, {"workItems": None}])
def test_an_answer_without_a_list_is_no_last_page(ado: AdoClient, answer: dict[str, Any]) -> None:
    responses.post(f"{BASE}_apis/wit/wiql", json=answer)
    with pytest.raises(Unavailable, match="cannot be read"):
        items_with_hyperlinks(ado, 0)


@responses.activate
@pytest.mark.parametrize(
    ("odd", "numbers", "unreadable"),
    [
        (None, [31], 0),
        ({"id": 32}, [31, 32], 0),
        ({"id": 32, "relations": None}, [31, 32], 0),
        ({"id": 32, "relations": [{"rel": 5}, HYPERLINK]}, [31, 32], 1),
        ({"id": 32, "relations": {}}, [31], 1),
        ({"relations": [HYPERLINK]}, [31], 1),
        ("odd", [31], 1),
    ],
)
def test_an_odd_work_item_hides_no_other(
    ado: AdoClient, odd: Any, numbers: list[int], unreadable: int
) -> None:
    item = {"id": 31, "relations": [PARENT, HYPERLINK]}
    responses.post(f"{BASE}_apis/wit/workitemsbatch", json={"value": [odd, item]})
    found = hyperlinks_of(ado, [31, 32])
    there = {number: [each.url for each in relations] for number, relations in found.items}
    assert (sorted(there), found.unreadable) == (numbers, unreadable)
    assert there[31] == [HYPERLINK["url"]]
