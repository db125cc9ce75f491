"""Names and identifiers in the lake: the same input gives the same name on every machine, for ever."""

from __future__ import annotations

import hashlib
import re
import uuid

LAKE = "lake"
_PLAIN = re.compile(r"[a-z][a-z0-9_]*\Z")
_LONGEST = 48
_LOCATOR_BITS = 42
_SEPARATOR = "\x1f"  # joins the parts of what is hashed: it cannot be written into a name, so parts never run together


def slug(name: str) -> str:
    """Return a lower-case name of letters, digits and single underscores; a name that had to change carries a hash of the original."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if plain == name and len(name) <= _LONGEST:
        return name
    mark = hashlib.md5(name.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()[:8]
    return f"{plain[:_LONGEST].rstrip('_')}_{mark}".lstrip("_")


def column_name(source: str) -> str:
    """Return the physical column of a source column: ``c_amount``, or ``c_invoice_no_1f3a…`` for ``Invoice No.``."""
    plain = _PLAIN.match(source) and len(source) <= _LONGEST
    return f"c_{source if plain else slug(source)}"


def landed_table(system: str, stream: str) -> str:
    """Return the table of a stream's landed rows."""
    return f"landed_{slug(system)}__{slug(stream)}"


def contribution_table(model: str) -> str:
    """Return the table of a model's contributions."""
    return f"contribution_{slug(model)}"


def golden_table(model: str) -> str:
    """Return the table of a model's golden versions."""
    return f"golden_{slug(model)}"


def golden_end_table(model: str) -> str:
    """Return the table that says which golden versions have ended."""
    return f"golden_end_{slug(model)}"


def quote_name(name: str) -> str:
    """Return an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """Return an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def lake_table(name: str) -> str:
    """Return the qualified name of a lake table, for SQL."""
    return f"{LAKE}.{quote_name(name)}"


def uuid8(*parts: str) -> uuid.UUID:
    """Return the UUIDv8 of an MD5 over the parts (RFC 9562, section 5.8)."""
    digest = hashlib.md5(_SEPARATOR.join(parts).encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return _as_version_8(int.from_bytes(digest, "big"))


def uuid8_sql(text: str) -> str:
    """Return SQL for the UUIDv8 of the MD5 of a text expression; it equals :func:`uuid8` of that one part."""
    return (
        f"list_transform([md5({text})], lambda h: "
        "(h[1:12] || '8' || h[14:16] || substr('89ab', (instr('0123456789abcdef', h[17]) - 1) % 4 + 1, 1) || h[18:])::UUID)[1]"
    )


def receipt_id(client: str, system: str, stream: str, origin: str, arrival: int, sha256: str) -> uuid.UUID:
    """Return the id of an arrival: the n-th arrival of these bytes from this origin."""
    return uuid8("receipt", client, system, stream, origin, str(arrival), sha256)


def landed_prefix(client: str, system: str, stream: str, receipt: uuid.UUID) -> uuid.UUID:
    """Return the landed id of locator 0: 80 bits of hash, then 42 bits of locator, so that ids sort in file order."""
    digest = hashlib.md5(_SEPARATOR.join(("landed", client, system, stream, str(receipt))).encode(), usedforsecurity=False).digest()
    value = int.from_bytes(digest[:10], "big")
    return uuid.UUID(int=(value >> 32) << 80 | 8 << 76 | (value >> 20 & 0xFFF) << 64 | 2 << 62 | (value & 0xFFFFF) << _LOCATOR_BITS)


def landed_id(prefix: uuid.UUID, locator: int) -> uuid.UUID:
    """Return the landed id of a record of the arrival with this prefix."""
    return uuid.UUID(int=prefix.int + locator)


def landed_id_sql(prefix: uuid.UUID, locator: str) -> str:
    """Return SQL for :func:`landed_id`, ``locator`` being a BIGINT expression."""
    low = prefix.int & (1 << 64) - 1
    return f"({quote_text(prefix.hex[:16])} || lower(hex({low}::UBIGINT + ({locator})::UBIGINT)))::UUID"


def _as_version_8(value: int) -> uuid.UUID:
    value &= ~(0xF << 76)
    value &= ~(0x3 << 62)
    return uuid.UUID(int=value | 8 << 76 | 2 << 62)
