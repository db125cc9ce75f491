"""Where a landed record stands in its file."""

from __future__ import annotations

from treaty.operations.explaining.landing import find_csv, find_line


def test_a_csv_record_is_found_by_line_and_byte() -> None:
    """The header does not count, and a quoted field may span lines."""
    content = b'a,b\r\n1,"x\r\ny"\r\n\r\n2,z\r\n'
    assert find_csv(content, 1, {}, {}) == (2, 5)
    assert find_csv(content, 2, {}, {}) == (5, content.index(b"2,z"))
    assert find_csv(content, 3, {}, {}) is None


def test_a_csv_file_without_header_begins_at_its_first_record() -> None:
    """Skipped lines are counted in the place, and not as records."""
    assert find_csv(b"junk\n1;2\n3;4\n", 2, {"header": False, "skip_lines": 1}, {}) == (3, 9)


def test_a_json_line_is_found_past_blank_ones() -> None:
    """Blank lines are no records."""
    assert find_line(b'{"a":1}\n\n{"a":2}\n', 2) == (3, 9)
