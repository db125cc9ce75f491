"""Which of the Windows code pages a text is in that is no UTF-8: the one in which it has the fewest words that no language has."""

from __future__ import annotations

import re

CODE_PAGES = ("cp1252", "cp1250", "cp1251")
"""Western, central European and Cyrillic; of those that fit alike, the first."""
ODD = (
    re.compile(r"[^\W\d_][\u00a1-\u00bf\u00d7\u00f7](?=[^\W\d_])"),  # a sign within a word
    re.compile(r"(?<![^\W_])(?:[\u00a2-\u00a6\u00a8\u00a9\u00ac-\u00ba\u00bc-\u00be](?=[^\W\d_])|[\u00a1\u00bf](?=[a-z]))"),  # one that a word begins with
    re.compile(r"[^\W\d_][\u00b3\u00b9\u00be\u00bc](?![^\W_])"),  # a raised number that a word ends with
    re.compile(r"[a-z\u00df-\u00ff][\u00c0-\u00de\u0178\u0160\u017d\u0152](?![A-Z])"),  # a capital behind a small letter
    re.compile(r"[\u00c0-\u024f]{3}"),  # three letters with accents in a row
    re.compile(r"[A-Za-z][\u0400-\u04ff]|[\u0400-\u04ff][A-Za-z]"),  # two scripts in a word
)


def guess_encoding(content: bytes) -> str:
    """Return the code page of a text; a character that is cut off at the end is nothing against one."""
    return min(CODE_PAGES, key=lambda each: _oddness(content, each))


def _oddness(content: bytes, encoding: str) -> int:
    text = content.decode(encoding, errors="replace")
    return sum(len(each.findall(text)) for each in ODD) + 2 * text.count("\ufffd")
