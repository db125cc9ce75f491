"""Changes project files as a person would: comments, order and quotes of what is not changed stay as they are."""

from __future__ import annotations

import io
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from treaty.errors import UsageError

FENCE = "---"


class EditedFile:
    """One YAML file, or one decision record with its front matter, whose ``settings`` are changed in place."""

    def __init__(self, file: str, content: bytes) -> None:
        self.file = file
        text = content.decode("utf-8")
        self.body: str | None = None
        if file.endswith(".md"):
            lines = text.splitlines(keepends=True)
            end = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() == FENCE), None)
            if end is None:
                raise UsageError(f"{file} has no front matter.", remedy="Begin it with settings between two lines '---'.")
            text, self.body = "".join(lines[1:end]), "".join(lines[end + 1 :])
        self.settings: Any = _yaml().load(text)

    def render(self) -> bytes:
        """Return the file's whole text."""
        out = io.StringIO()
        _yaml().dump(self.settings, out)
        text = out.getvalue()
        return (f"{FENCE}\n{text}{FENCE}\n{self.body}" if self.body is not None else text).encode()

    def append_to_section(self, heading: str, line: str) -> None:
        """Add a bullet at the end of a section of the prose; the section is made at the end where there is none."""
        assert self.body is not None, "only decision records have prose"
        lines = self.body.rstrip("\n").split("\n")
        start = next((number for number, each in enumerate(lines) if each.strip().lower() == f"## {heading}".lower()), None)
        if start is None:
            self.body = "\n".join([*lines, "", f"## {heading}", "", f"- {line}"]) + "\n"
            return
        end = next((number for number in range(start + 1, len(lines)) if lines[number].startswith("#")), len(lines))
        last = max((number for number in range(start, end) if lines[number].strip()), default=start)
        self.body = "\n".join([*lines[: last + 1], *([""] if last == start else []), f"- {line}", *lines[last + 1 :]]) + "\n"


def write_decision(settings: Mapping[str, Any], sections: Mapping[str, str], comments: Mapping[str, str] | None = None) -> bytes:
    """Return a new decision record: its front matter, and its prose by heading. ``comments`` stand above settings."""
    from ruamel.yaml.comments import CommentedMap

    front = CommentedMap(settings)
    for name, comment in (comments or {}).items():
        front.yaml_set_comment_before_after_key(name, before=comment)
    out = io.StringIO()
    _yaml().dump(front, out)
    prose = "\n\n".join(f"## {heading}\n\n{text}" for heading, text in sections.items())
    return f"{FENCE}\n{out.getvalue()}{FENCE}\n\n{prose}\n".encode()


def copy_setting(source: Any, target: Any, path: tuple[str, ...], *, row_key: str = "") -> None:
    """Copy what stands at a path of one file into another; ``row_key`` finds a row of a list by its key's value."""
    *above, last = path
    value = source
    for name in above:
        value = value[name]
        target = target.setdefault(name, [] if row_key and name == above[-1] else type(value)())
    if not row_key:
        target[last] = value[last]
        return
    row = next(each for each in value if _row_name(each[row_key]) == last)
    for number, each in enumerate(target):
        if _row_name(each[row_key]) == last:
            target[number] = row
            return
    target.insert(0, row)


def remove_setting(target: Any, path: tuple[str, ...], *, row_key: str = "") -> None:
    """Remove what stands at a path, and the tables that are empty then."""
    *above, last = path
    chain = [target]
    for name in above:
        if name not in chain[-1]:
            return
        chain.append(chain[-1][name])
    if row_key:
        rows = chain[-1]
        rows[:] = [each for each in rows if _row_name(each[row_key]) != last]
    elif last in chain[-1]:
        del chain[-1][last]
    for depth in range(len(above), 0, -1):
        if not chain[depth]:
            del chain[depth - 1][above[depth - 1]]


def _row_name(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(Decimal, lambda writer, value: writer.represent_scalar("tag:yaml.org,2002:float", format(value, "f")))
    return yaml
