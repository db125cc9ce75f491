"""What a project folder may declare: every setting once, with its type, default, help and example.

The loader, the JSON Schemas of ``treaty schema`` and the manual all read these classes; nothing is declared twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from treaty.project.findings import Position
from treaty.project.formats import FormatName

# How a text must be written, by the name given as ``form``: loader and JSON Schemas use the same expressions.
FORMS: Mapping[str, str] = MappingProxyType(
    {
        "name": r"^[A-Za-z][A-Za-z0-9_.-]*$",
        "date": r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
        "duration": r"^[0-9]+ ?(s|m|h|d|w)$",
        "percent": r"^(100|[1-9]?[0-9])%$",
        "signature": r"^[a-z_][a-z0-9_]* *\(.*\) *-> *[a-z].*$",
        "missing": r"^(keep-open|stub|null|quarantine after [0-9]+ ?(s|m|h|d|w))$",
        "stream": r"^[^/ ]+/[^/ ]+$",
        "secret-reference": r"^(env|file|keyring):.+$",
    }
)


def declared(
    help: str,
    *,
    example: Any = None,
    default: Any = ...,
    factory: Any = None,
    secret: bool = False,
    key: str = "",
    form: str = "",
    null_is_text: bool = False,
) -> Any:
    """Declare one setting of a project file: what it is for, an example, and how it is written if not by its name.

    ``form`` names a pattern of :data:`FORMS`; ``null_is_text`` keeps the word ``null`` as a text.
    """
    metadata = {"help": help, "example": example, "secret": secret, "key": key, "form": form, "null_is_text": null_is_text}
    if factory is not None:
        return field(default_factory=factory, metadata=metadata)
    if default is ...:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Positioned:
    """Where it was written: its own position, and one for each key path below it (``fields.amount.cell``)."""

    position: Position = field(default=Position("?"), compare=False, metadata={"internal": True})
    places: Mapping[str, Position] = field(default_factory=dict, compare=False, repr=False, metadata={"internal": True})

    def at(self, path: str) -> Position:
        """Return the position of a key path, or the nearest known one above it."""
        while path:
            if path in self.places:
                return self.places[path]
            path = path.rpartition(".")[0]
        return self.position


# ---- treaty.yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most Treaty takes of anything before it sets it aside; error texts name the setting."""

    record_bytes: int = declared("the largest record, in bytes", default=16 * 1024 * 1024)
    depth: int = declared("the deepest nesting of a record", default=100)
    fields: int = declared("the most fields of a record", default=10_000)
    file_bytes: int = declared("the largest file, in bytes", default=8 * 1024**3)
    field_lines: int = declared("the most lines that one quoted CSV field may span", default=1_000)
    archive_bytes: int = declared("the most that may come out of one archive, in bytes", default=8 * 1024**3)
    archive_ratio: int = declared("how many times its own size may come out of an archive, beyond the first MB", default=100)
    archive_entries: int = declared("the most members of one archive", default=10_000)
    archive_depth: int = declared("how deep archives may stand within each other", default=2)
    parser_seconds: int = declared("the most processor time that a Parquet or Excel file may take to parse, in seconds", default=300)
    parser_megabytes: int = declared("the most memory that a Parquet or Excel file may take to parse, in MB", default=1_024)
    hook_seconds: int = declared("the longest one call of a hook may take, in seconds", default=10)
    memory_megabytes: int = declared("memory of the engine, in MB; more work than fits is spilled to disk", default=3000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """How the lake is kept in order; runs see to it."""

    compact_after_files: int = declared("compact once so many files have come since the last time; 0 is never", default=400)
    keep_snapshots: str = declared(
        "how long the files that compaction replaced are kept, for readers that began before it; history is rows and stays for good",
        default="1h", example="1d", form="duration",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment(Positioned):
    """One place where the project runs, with its own state."""

    state: str = declared("folder of the lake and of the embedded database", default=".treaty", example=".treaty")
    database: str | None = declared(
        "a PostgreSQL server instead of the embedded one, as a secret reference",
        default=None,
        example="env:TREATY_DATABASE",
        secret=True,
        form="secret-reference",
    )
    deliver: bool = declared("whether sinks are sent anything", default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSettings(Positioned):
    """``treaty.yaml``."""

    name: str = declared("the project's name", example="ledger")
    packs: tuple[str, ...] = declared("packs to build on: shipped ones by name, others by folder", default=(), example=["einvoice"])
    environments: Mapping[str, Environment] = declared(
        "places where the project runs; `local` is used when none is named", factory=dict, example={"local": {"deliver": True}}
    )
    owners: Mapping[str, str] = declared(
        "who answers for what: a name and how to reach them", factory=dict, example={"finance": "finance@example.com"}
    )
    limits: Limits = declared("the most Treaty takes of anything", factory=Limits)
    upkeep: Upkeep = declared("how the lake is kept in order", factory=Upkeep)
    alerts: Mapping[str, str] = declared("where alerts go: a route's name and its address", factory=dict)
    plan_fails_on: tuple[Literal["cosmetic", "additive", "value-changing", "breaking", "unknown"], ...] = declared(
        "classes of changes with which `treaty plan` ends with status 1", default=("breaking", "unknown"), key="plan-fails-on", example=["breaking", "unknown"]
    )


# ---- systems/*.yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletes(Positioned):
    """How a stream says that a record is gone."""

    mode: Literal["none", "tombstone", "snapshot"] = declared("how deletes are told", default="none")
    when: str | None = declared(
        "tombstone: an expression over the record that is true for a delete", default=None, example="source('deleted') = 'true'"
    )
    guard_percent: int = declared(
        "snapshot: the share of records that may vanish at once", default=20, key="guard", form="percent", example="20%"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Positioned):
    """One named collection of records that a system offers or accepts."""

    format: FormatName = declared("how the bytes are written; `table` for databases", example="csv")
    record: str | None = declared("where a record begins: an XML element or a JSON path", default=None, example="inv:Invoice")
    namespaces: Mapping[str, str] = declared("prefixes used in this stream's paths", factory=dict)
    key: tuple[str, ...] = declared(
        "cells that identify a record; none means content only, then there are no updates", default=(), example=["Cust", "./'Invoice No.'"]
    )
    version: str = declared(
        "a cell that orders versions of a record, or `landing-order`", default="landing-order", example="iso_timestamp(updated_at)"
    )
    deletes: Deletes = declared("how deletes are told", factory=Deletes)
    occurred_at: str | None = declared("a cell: when the record happened in the world", default=None)
    zone: str | None = declared("the time zone of local times", default=None, example="Europe/Berlin")
    empty: Literal["null", "value"] = declared("whether an empty text is null or a value", default="null")
    reference: bool = declared("true where other mappings look records up in it", default=False)
    client: str | None = declared(
        "shared systems: a cell that names the client that a record is of; a record of nobody known is quarantined", default=None, example="client_code"
    )
    nested: Mapping[str, Literal["json"]] = declared(
        "columns whose text is itself JSON, read by paths below the column", factory=dict, example={"line_items": "json"}
    )
    read: Mapping[str, Any] = declared(
        "what the connector needs to read it", factory=dict, example={"files": "*.csv", "encoding": "cp1252"}
    )
    write: Mapping[str, Any] = declared("what the connector needs to write it", factory=dict, example={"table": "ledger.invoice"})
    drift: Literal["evolve", "freeze", "discard_value", "quarantine"] = declared("what a change of shape does", default="evolve")

    @property
    def reading(self) -> tuple[object, ...]:
        """How records are read from bytes; not which bytes they are read from."""
        return self.format, self.record, dict(self.namespaces), {name: value for name, value in self.read.items() if name not in ("files", "members")}


@dataclass(frozen=True, slots=True, kw_only=True)
class System(Positioned):
    """An external application: ``systems/NAME.yaml``."""

    name: str = declared("its name; the file's name where not given", default="")
    connector: str = declared("the kind of connector", example="files")
    connection: Mapping[str, Any] = declared(
        "how to reach it; secrets only by reference; `{client}` stands for the client", factory=dict, secret=True
    )
    streams: Mapping[str, Stream] = declared("the collections it offers or accepts")
    owner: str | None = declared("who answers for it", default=None)
    classification: Literal["public", "internal", "confidential", "restricted"] = declared("how sensitive its data is", default="internal")
    volumes: Mapping[str, Any] = declared("expected records a day, by stream", factory=dict)
    shared: bool = declared("one system with records of many clients, which `client` of each stream tells apart", default=False)
    reason: str | None = declared("overlays, and overrides of a pack: why it differs from the standard", default=None)


# ---- models/*.yaml (data contracts, ODCS v3.1.0, read through the open-data-contract-standard package)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRule(Positioned):
    """A rule that marks records with its id; it does not stop them."""

    id: str
    expression: str  # over the model's fields; true, or null, means kept
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaProperty(Positioned):
    """One field of a canonical model."""

    name: str
    type: str  # Treaty's type, from physicalType; list<struct> for repeating groups (then ``properties`` has its members)
    required: bool = False
    description: str = ""
    business_name: str = ""
    business_term: str = ""  # e.g. BT-1
    classification: str = ""
    currency: str | None = None  # the property that holds this amount's currency
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    minimum: str | None = None
    maximum: str | None = None
    properties: tuple[SchemaProperty, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataContract(Positioned):
    """One canonical model: ``models/NAME.yaml``."""

    name: str
    version: str
    properties: tuple[SchemaProperty, ...]
    quality: tuple[QualityRule, ...] = ()
    edge_cases: tuple[str, ...] = ()  # ids of edge-case decisions in the order they run
    description: str = ""

    @property
    def of_pack(self) -> bool:
        """Whether a pack declares it: a project cannot list its own edge cases in it."""
        return self.position.file.startswith("packs/")

    @property
    def paths(self) -> Iterator[str]:
        """The dotted paths of all properties: ``lines``, ``lines.quantity``."""
        for each in self.properties:
            yield each.name
            yield from (f"{each.name}.{below.name}" for below in each.properties)

    def find(self, path: str) -> SchemaProperty | None:
        """Return the property at a dotted path (``lines.quantity``), or None."""
        found: SchemaProperty | None = None
        properties = self.properties
        for name in path.split("."):
            found = next((each for each in properties if each.name == name), None)
            if found is None:
                return None
            properties = found.properties
        return found


# ---- decisions/*.md

DecisionKind = Literal["transformation", "value-map", "edge-case", "identity", "survivorship", "relationship", "scope"]
Status = Literal["draft", "proposed", "accepted", "deprecated", "superseded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applies(Positioned):
    """The half-open period, by a canonical date field, in which a decision holds."""

    from_: str | None = declared("first day it holds", default=None, key="from", form="date")
    to: str | None = declared("first day it no longer holds", default=None, form="date")
    by: str = declared("the canonical date field that decides", example="invoice.issue_date")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow(Positioned):
    """One row of a transformation's table: a condition and a result, both expressions."""

    when: str = declared("condition")
    then: str = declared("result")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSurvivorship(Positioned):
    """How the winner of a field, or of fields that travel together, is chosen."""

    fields: tuple[str, ...] = declared("the field, or the group that travels together", example=["street", "city", "postal_code"])
    prefer: tuple[str, ...] = declared(
        "ordered: systems by name, then `latest`, `earliest`, `most-complete`", example=["crm", "billing", "latest"]
    )
    null_is_answer: bool = declared("whether a null wins like a value", default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchKey(Positioned):
    """One match key of an identity decision: expressions over the model's fields, and how strong it is."""

    expressions: tuple[str, ...] = declared(
        "parts of the key; a null or blank part makes no key", example=["seller_vat", "number", "type_code"], key="parts"
    )
    strength: Literal["strong", "weak"] = declared("weak keys may only propose", default="strong")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord(Positioned):
    """One modelling decision: the front matter of ``decisions/ID.md`` and its prose, whichever of the seven kinds it is."""

    id: str = declared("its id, as the file is named", example="how-legacy-amounts-are-written", form="name")
    title: str = declared("the outcome in one sentence")
    status: Status = declared("only accepted and deprecated ones run", example="accepted")
    date: str = declared("when it was decided", example="2026-11-20", form="date")
    decision_makers: tuple[str, ...] = declared("who decided", default=(), key="decision-makers")
    kind: DecisionKind = declared("what kind of decision it is")
    governs: tuple[str, ...] = declared("fields (`invoice.amount_due`) or a model (`invoice`) that it governs", default=())
    review_by: str | None = declared("the day by which it is looked at again", default=None, key="review-by", form="date")
    superseded_by: str | None = declared("the decision that took its place", default=None, key="superseded-by")
    applies: Applies | None = declared("the period in which it holds", default=None)
    reason: str | None = declared("overlays, and overrides of a pack: why it differs from the standard", default=None)
    replace: bool = declared("overlays: replace the standard's table instead of merging by key", default=False)
    # transformation and value-map
    function: str | None = declared(
        "signature: `name(param: type, …) -> type`", default=None, form="signature", example="legacy_amount(text: string) -> decimal(18,2)"
    )
    expression: str | None = declared("transformation: what runs", default=None)
    cases: tuple[CaseRow, ...] = declared("transformation: conditions and results, first match", default=())
    otherwise: str | None = declared(
        "cases: the result when none matches; value-map: quarantine, preserve, null or a value", default=None, null_is_text=True
    )
    map: Mapping[str, str] = declared("value-map: from and to", factory=dict)
    match: Literal["exact", "trim_casefold"] = declared("value-map: how values are compared", default="exact")
    null: str | None = declared("value-map: what a null becomes", default=None)
    examples: tuple[Mapping[str, Any], ...] = declared("inputs by parameter, and `returns` (or `fails: reason`)", default=())
    # edge-case and scope
    when: str | None = declared(
        "edge-case, scope: a predicate over fields, `source('path')`, `present('path')`, `failed(field)`", default=None
    )
    treatment: Literal["normalise", "preserve", "quarantine", "reject"] | None = declared("edge-case: what happens", default=None)
    set: Mapping[str, str] = declared("normalise: fields and the expressions they are set to", factory=dict)
    waives: tuple[str, ...] = declared("preserve: ids of quality rules that do not mark such records", default=())
    stream: str | None = declared("scope: the stream it cuts", default=None)
    # identity, survivorship, relationship
    keys: tuple[MatchKey, ...] = declared("identity: match keys, strong to weak", default=())
    survivorship: tuple[FieldSurvivorship, ...] = declared("survivorship: how each winner is chosen", default=(), key="rules")
    references: str | None = declared("relationship: the model and field that is referred to", default=None, example="contact.email")
    missing: str = declared(
        "relationship: keep-open, stub, null, or `quarantine after D`", default="keep-open", form="missing", null_is_text=True
    )
    # prose
    sections: Mapping[str, str] = field(default_factory=dict, metadata={"internal": True})  # heading, as written in lower case → text
    options: tuple[str, ...] = field(default=(), metadata={"internal": True})  # considered options; the chosen one is in the outcome
    origin: str = field(default="standard", metadata={"internal": True})  # standard | overlay

    @property
    def runs(self) -> bool:
        """Whether its status lets it run."""
        return self.status in ("accepted", "deprecated")


# What each kind of decision must and may say beside the settings that all share; other settings are refused.
ANY_KIND = (
    "id",
    "title",
    "status",
    "date",
    "decision-makers",
    "kind",
    "governs",
    "review-by",
    "superseded-by",
    "applies",
    "reason",
    "replace",
)
KIND_SETTINGS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "transformation": (("function",), ("expression", "cases", "otherwise", "examples")),
        "value-map": (("function", "map"), ("match", "otherwise", "null", "examples")),
        "edge-case": (("when", "treatment"), ("set", "waives", "examples")),
        "identity": (("keys",), ("examples",)),
        "survivorship": (("rules",), ("examples",)),
        "relationship": (("references",), ("missing",)),
        "scope": (("when", "stream"), ("examples",)),
    }
)


# ---- mappings/*.yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMapping(Positioned):
    """How one field is filled: a cell, or a repeating group by ``each`` or ``with``."""

    cell: str | None = declared("a path, a literal or a call", default=None, example="iso_date(cbc:IssueDate)")
    each: str | None = declared("a path: one element of the list for each value there", default=None)
    with_: str | None = declared("a stream whose rows become the elements", default=None, key="with")
    on: Mapping[str, str] = declared("with: child column and the parent's cell it must equal", factory=dict)
    key: str | None = declared("a cell that identifies an element", default=None)
    expect: Literal["one", "many", "optional"] = declared("with: how many children there should be", default="optional")
    wait: str | None = declared("with: how long children may come late", default=None, example="2h", form="duration")
    fields: Mapping[str, FieldMapping] = declared("the element's fields", factory=dict)
    reason: str | None = declared("overlays, and overrides of a pack: why it differs from the standard", default=None)
    origin: str = field(default="standard", metadata={"internal": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityMapping(Positioned):
    """How a stream becomes a model (inbound), or a model a sink stream (outbound): ``mappings/NAME.yaml``."""

    name: str = declared("its name; the file's name where not given", default="")
    from_: str = declared("`system/stream` inbound, a model outbound", key="from")
    to: str = declared("a model inbound, `system/stream` outbound")
    fields: Mapping[str, FieldMapping] = declared("the fields; a short field is written as its cell alone")
    where: str | None = declared("outbound: which golden records are sent; inbound: none", default=None)
    key: tuple[str, ...] = declared("outbound: the sink's key columns", default=())
    delete: Literal["send", "ignore", "archive"] = declared("outbound: what a deleted golden record does", default="send")
    mode: Literal["upsert", "at-least-once", "idempotency-key", "read-back", "same-transaction", "at-most-once+park"] = declared(
        "outbound: how it is delivered", default="upsert"
    )
    baseline: bool = declared("outbound: what the sink holds at the first load counts as delivered", default=False)
    reason: str | None = declared("overlays, and overrides of a pack: why it differs from the standard", default=None)
    origin: str = field(default="standard", metadata={"internal": True})

    @property
    def inbound(self) -> bool:
        """Whether it reads a source."""
        return "/" in self.from_


# ---- flows/*.yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow(Positioned):
    """The unit that runs and is watched: ``flows/NAME.yaml``."""

    name: str = declared("its name; the file's name where not given", default="")
    mappings: tuple[str, ...] = declared("mappings it runs, inbound then outbound", example=["ubl.invoices", "invoice.ledger"])
    trigger: str = declared("`manual` or a cron line", default="manual", example="0 * * * *")
    service_level: str | None = declared(
        "how old the newest data may get", default=None, key="service-level", example="4h", form="duration"
    )
    owner: str | None = declared("who answers for it", default=None)
    drift: Literal["evolve", "freeze", "discard_value", "quarantine"] | None = declared("drift policy for its streams", default=None)
    alerts: str | None = declared("alert route", default=None)
    clients: tuple[str, ...] = declared("the clients it runs for; none given means all that have its systems", default=())
    reason: str | None = declared("overlays, and overrides of a pack: why it differs from the standard", default=None)


# ---- hooks/*.py


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook(Positioned):
    """The user's Python function over Arrow arrays, declared by the decorator ``treaty.hook``."""

    name: str
    signature: str  # as a decision's function
    pure: bool
    file: str  # path among the project's files, read-only in the web pages
    content_hash: str
    code: str = ""  # the file's whole text, which the engine runs


# ---- the whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay(Positioned):
    """What one client changes: ``clients/NAME/``. Each entry is the resultant: the standard's with the differences merged in."""

    client: str
    systems: Mapping[str, System] = field(default_factory=dict)
    decisions: Mapping[str, DecisionRecord] = field(default_factory=dict)
    mappings: Mapping[str, EntityMapping] = field(default_factory=dict)
    flows: Mapping[str, Flow] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientProject:
    """The resultant for one client: the standard with its overlay applied. What the compiler reads."""

    client: str
    settings: ProjectSettings
    systems: Mapping[str, System]
    models: Mapping[str, DataContract]
    decisions: Mapping[str, DecisionRecord]
    mappings: Mapping[str, EntityMapping]
    flows: Mapping[str, Flow]  # only those that run for this client
    hooks: Mapping[str, Hook]

    def stream(self, name: str) -> Stream | None:
        """Return the stream ``system/stream``, or None."""
        system, _, stream = name.partition("/")
        found = self.systems.get(system)
        return found.streams.get(stream) if found else None
