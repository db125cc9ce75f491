"""Secrets: written in a project only as references, resolved when a connector needs them, shown nowhere.

    env:NAME                 an environment variable
    file:/absolute/path      a file's text, without its last line end
    keyring:service/user     an entry of the system's keyring
"""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

from treaty.errors import StopError

REFERENCE = re.compile(r"^(env|file|keyring):(.+)$", re.DOTALL)
NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
FORMS = "Write env:NAME, file:/path or keyring:service/user."
MAX_SECRET_BYTES = 65_536
SHORTEST_REDACTED = 4  # shorter ones would blot out ordinary text

_revealed: set[str] = set()


class Secret:
    """A secret by reference. Only :meth:`reveal` gives its text; printing, formatting, JSON and pickling never do."""

    __slots__ = ("reference",)

    def __init__(self, reference: str) -> None:
        if not is_reference(reference):
            raise StopError("a secret is written as a value, not as a reference.", remedy=FORMS)
        self.reference = reference

    def reveal(self) -> str:
        """Return the text, read anew each time so that a rotated secret is taken up. Raises StopError where there is none."""
        text = resolve_reference(self.reference)
        _revealed.add(text)
        return text

    def __repr__(self) -> str:
        return f"<secret {self.reference}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reference == self.reference

    def __hash__(self) -> int:
        return hash(self.reference)


def is_reference(text: Any) -> bool:
    """Tell whether a value is a secret reference."""
    return isinstance(text, str) and REFERENCE.match(text) is not None


def resolve_reference(reference: str) -> str:
    """Return the text behind a reference. Raises StopError, naming the reference and never a value."""
    found = REFERENCE.match(reference)
    if found is None:
        raise StopError("a secret is not a reference.", remedy=FORMS)
    scheme, rest = found.groups()
    if scheme == "env":
        return _from_environment(rest)
    if scheme == "file":
        return _from_file(rest)
    return _from_keyring(rest)


def _from_environment(name: str) -> str:
    if not NAME.match(name):
        raise StopError(f"env:{name} is not the name of an environment variable.", remedy="Use letters, digits and _.")
    text = os.environ.get(name)
    if not text:
        raise StopError(f"the secret env:{name} is not set.", remedy=f"Set the environment variable {name} where Treaty runs.")
    return text


def _from_file(name: str) -> str:
    path = Path(name)
    if not path.is_absolute():
        raise StopError(f"the secret file:{name} is not an absolute path.", remedy="Write file:/run/secrets/name.")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SECRET_BYTES + 1)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _refuse(f"file:{name}", type(error).__name__)
    if len(data) > MAX_SECRET_BYTES:
        _refuse(f"file:{name}", f"more than {MAX_SECRET_BYTES} bytes")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        _refuse(f"file:{name}", "empty")
    return text


def _from_keyring(entry: str) -> str:
    service, _, user = entry.partition("/")
    if not service or not user:
        raise StopError(f"keyring:{entry} names no entry.", remedy="Write keyring:service/user.")
    try:
        import keyring

        text = keyring.get_password(service, user)
    except Exception as error:  # keyring's backends raise whatever they like
        _refuse(f"keyring:{entry}", type(error).__name__)
    if not text:
        _refuse(f"keyring:{entry}", "no such entry")
    return str(text)


def _refuse(reference: str, why: str) -> NoReturn:
    raise StopError(f"the secret {reference} cannot be read ({why}).", remedy="Put it there, or write another reference.") from None


def note_revealed(text: str) -> None:
    """Have a text left out of messages: what a caller took out of a secret, a password from a URL say."""
    if text:
        _revealed.add(text)


def redact(text: str) -> str:
    """Return a text without the secrets revealed so far, nor their URL, JSON and base64 spellings."""
    for secret in sorted(_revealed, key=len, reverse=True):
        if len(secret) < SHORTEST_REDACTED:
            continue
        raw = secret.encode("utf-8", "surrogateescape")
        for spelling in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], base64.b64encode(raw).decode(), raw.hex()):
            text = text.replace(spelling, "[secret]")
    return text
