"""Bodies: lists, single objects, lines."""

import pytest

from workers.intake.body import parse_rows
from workers.intake.errors import BodyMalformed


def test_a_list_and_a_single_object_are_rows() -> None:
    """One event may come without brackets."""
    assert parse_rows(b'[{"a":1},2]') == [{"a": 1}, 2]
    assert parse_rows(b'{"a":1}') == [{"a": 1}]


def test_lines_are_rows_and_an_unreadable_line_is_a_row_of_its_own() -> None:
    """BOM, CRLF and blank lines do no harm."""
    body = b'\xef\xbb\xbf{"a":1}\r\n\r\nnot json\n{"a":2}'
    assert parse_rows(body, ndjson=True) == [{"a": 1}, None, {"a": 2}]


@pytest.mark.parametrize("body", [b"", b" ", b"[]", b"{", b"7", b'"x"', b"null", b"[" * 100_000])
def test_a13_a_body_without_rows_is_malformed(body: bytes) -> None:
    """Never a silent 200."""
    with pytest.raises(BodyMalformed):
        parse_rows(body)
