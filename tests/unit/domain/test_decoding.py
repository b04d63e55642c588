"""What is read of bytes that somebody else wrote."""

import pytest

from shared.domain.decoding import decode, decode_delivery
from shared.domain.errors import Malformed


def test_half_a_character_in_a_title_loses_no_event() -> None:
    assert decode_delivery(b'{"title": "cut \\ud83d", "rev": 2}') == {"title": "cut ?", "rev": 2}


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"nonsense", b"[" * 100_000, b'{"a": ' * 100_000])
def test_what_is_not_json_is_malformed_and_nothing_worse(body: bytes) -> None:
    for read in (decode_delivery, lambda body: decode(body, dict[str, object])):
        with pytest.raises(Malformed):
            read(body)


def test_a_document_of_another_shape_is_malformed_where_it_differs() -> None:
    with pytest.raises(Malformed, match=r"\$\[\.\.\.\]"):
        decode(b'{"a": "text"}', dict[str, int])
