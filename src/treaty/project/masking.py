"""Lets signatures and paths stand in YAML without quotes, although strict YAML would refuse them.

``function: amount(text: string) -> decimal(18,2)`` has a colon and a space inside a plain text, and
``key: [cac:Party[1]/cbc:ID]`` brackets inside a text of a list. Where a file is not YAML as it stands, such characters
are replaced one for one by private ones before parsing and restored in every text after it, so all places stay right.
A colon and a space in any other plain text stay what they are in YAML: a mistake.
"""

from __future__ import annotations

import re

SPECIAL = ":[]{},#"
OFFSET = 0xE000  # the private use area of Unicode
_UNMASK = {OFFSET + ord(sign): sign for sign in SPECIAL}
_MASKED = re.compile("[" + "".join(chr(code) for code in _UNMASK) + "]")
_LINE = re.compile(r"^(?P<indent>\s*(?:- +)*)(?P<key>[\w./-]+|\"[^\"]*\"|'[^']*'): +(?P<value>\S.*)$")
_BLOCK = re.compile(r"[|>][+-]?[0-9]?\s*(#.*)?$")
_COMMENT = re.compile(r"\s#")
_SIGNATURE = re.compile(r"[a-z_][a-z0-9_]* *\(.*\) *-> *[a-z]")


def unmask(text: str) -> str:
    """Restore the characters that :func:`mask` replaced."""
    return text.translate(_UNMASK) if _MASKED.search(text) else text


def mask(text: str) -> str | None:
    """Return the text with colons in signatures and brackets in plain texts of lists masked; None if nothing was."""
    if any(chr(OFFSET + ord(sign)) in text for sign in SPECIAL):
        return None  # the file has such private characters of its own
    masked: list[str] = []
    depth = 0
    block: int | None = None  # indentation of the key whose block text goes on
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip(" "))
        if block is not None and (not line.strip() or indent > block):
            masked.append(line)
            continue
        block = None
        found = None if depth else _LINE.match(line)
        if found and found["value"][0] not in "[{\"'|>&*!%@`#":
            start = found.start("value")
            masked.append(line[:start] + _mask_signature(found["value"]))
            continue
        if found and _BLOCK.match(found["value"]):
            block = indent
        start = found.start("value") if found else 0
        rest, depth = (
            _mask_flow(line[start:], depth) if (depth or found or line.lstrip().startswith(("- [", "- {"))) else (line[start:], depth)
        )
        masked.append(line[:start] + rest)
    result = "\n".join(masked)
    return result if result != text else None


def _hide(text: str, signs: str = SPECIAL) -> str:
    return "".join(chr(OFFSET + ord(sign)) if sign in signs else sign for sign in text)


def _mask_signature(value: str) -> str:
    """Mask colons before a space in a signature, up to its comment; any other value is as it was."""
    if not _SIGNATURE.match(value):
        return value
    comment = _COMMENT.search(value)
    end = comment.start() if comment else len(value)
    return re.sub(r":(?=\s)", _hide(":"), value[:end]) + value[end:]


def _mask_flow(line: str, depth: int) -> tuple[str, int]:
    """Mask selectors (``Party[1]``, ``emails[type='work']``) inside lists and settings in brackets."""
    out: list[str] = []
    position = 0
    while position < len(line):
        sign = line[position]
        before = line[position - 1] if position else " "
        if sign in "\"'" and before in " ,[{:":
            end = line.find(sign, position + 1)
            end = len(line) - 1 if end < 0 else end
            out.append(line[position : end + 1])
            position = end + 1
            continue
        if sign == "#" and before == " ":
            out.append(line[position:])
            break
        if sign == "[" and depth and before not in " ,[{:":
            end = _selector_end(line, position)
            out.append(_hide(line[position : end + 1]))
            position = end + 1
            continue
        depth += (sign in "[{") - (sign in "]}")
        out.append(sign)
        position += 1
    return "".join(out), max(depth, 0)


def _selector_end(line: str, start: int) -> int:
    depth = 0
    quoted = False
    for position in range(start, len(line)):
        sign = line[position]
        if sign == "'":
            quoted = not quoted
        elif not quoted:
            depth += (sign == "[") - (sign == "]")
            if depth == 0:
                return position
    return len(line) - 1
