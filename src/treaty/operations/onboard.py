"""``onboard``: what a client gives first becomes systems, mappings and decisions; what the evidence leaves open is asked."""

from __future__ import annotations

import dataclasses
import getpass
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from treaty.clock import Clock, system_clock
from treaty.errors import UsageError
from treaty.matching.profiles import FieldProfile, Reference
from treaty.onboarding.proposing import Proposal, StreamProposal, propose, rank_samples
from treaty.onboarding.questions import LEAVE, Answer, Question
from treaty.onboarding.rendering import client_outbound, render_files, sink_files
from treaty.operations.deciding.writing import write_changes
from treaty.operations.onboarding.reaching import (
    Descriptions,
    is_description,
    is_endpoint,
    is_reference,
    read_described,
    read_reached,
    take_description,
    take_endpoint,
    take_tables,
)  # fmt: skip
from treaty.operations.onboarding.recording import FILE, GivenSample, OnboardingRecord, list_records, read_record, render_record
from treaty.operations.onboarding.rehearsing import Rehearsal, rehearse
from treaty.operations.onboarding.taking import ReadSample, read_files, take_files
from treaty.operations.workspace import Folder, Workspace, find_root
from treaty.project.editing import EditedFile
from treaty.project.files import SETTINGS_FILE
from treaty.project.findings import nearest, suggest
from treaty.project.loading import Project, load_project_files
from treaty.project.overlays import MAIN_CLIENT, client_project

CLIENT_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")


@dataclass(frozen=True, slots=True)
class OnboardResult:
    """What is proposed and written for a client.

    ``questions`` are open; ``answers`` are those that hold, inherited ones with the client that gave them first. ``kept`` are files that a person has
    changed since they were written: they are left as they are.
    """

    client: str
    streams: tuple[StreamProposal, ...]
    questions: tuple[Question, ...]
    answers: tuple[Answer, ...]
    rehearsals: tuple[Rehearsal, ...]
    written: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    refused: tuple[str, ...]
    references: tuple[Reference, ...]
    deliver_to: str

    def to_json(self) -> Any:
        """The documented shape."""
        questions = [
            {
                "id": each.topic.id, "kind": each.topic.kind, "text": each.text, "matters": each.matters, "evidence": each.evidence, "options": each.options,
                "proposal": each.proposal, "confidence": each.confidence,
            }
            for each in self.questions
        ]  # fmt: skip
        answers = [{"id": each.topic.id, "value": each.value, "who": each.who, "at": each.at, "inherited": each.inherited or None} for each in self.answers]
        return {
            "client": self.client, "streams": [_stream_shape(each) for each in self.streams], "references": self.references, "questions": questions, "answers": answers,
            "rehearsals": self.rehearsals, "written": self.written, "removed": self.removed, "kept": self.kept, "refused": self.refused, "deliver_to": self.deliver_to or None,
        }  # fmt: skip


def _stream_shape(stream: StreamProposal) -> Any:
    profile = stream.sample.profile
    fields = []
    for each in stream.fields:
        seen = profile.field(each.source) or FieldProfile(each.source)
        told = {name: getattr(seen, name) for name in ("type", "records", "nulls", "distinct", "candidate_key", "shapes", "patterns", "least", "most", "language")}
        fields.append({**dataclasses.asdict(each), "profile": told})
    return {
        "stream": stream.sample.place, "records": profile.records, "model": stream.model, "mapping": stream.mapping if stream.model else None,
        "shipped": bool(stream.sample.shipped), "models": [{"model": each.model, "score": each.score, "reasons": each.reasons} for each in stream.models],
        "key": stream.key, "version": stream.version, "candidate_keys": profile.candidate_keys, "constants": stream.constants, "missing": stream.missing, "fields": fields,
    }  # fmt: skip


def onboard(
    client: str, samples: Sequence[str | Path] = (), *, project: Folder = None, system: str | None = None, answers: Mapping[str, str] | None = None,
    secret: str | None = None, accept: bool = False, who: str = "", deliver_to: str | None = None, clock: Clock = system_clock, progress: Callable[[str], None] = lambda text: None,
) -> OnboardResult:  # fmt: skip
    """Profile what a client gives, propose and write its files, and try them on the sample.

    Args:
        samples: files, folders of files, OpenAPI descriptions, addresses of lists of JSON APIs, tables as ``env:URL#schema.table``; none: what was
            given before is proposed again.
        system: what the client's system is called, else found out.
        secret: a reference to the token that an API wants (``env:NAME``).
        answers: by the topic's id; ``-`` leaves a thing out.
        accept: take what is proposed where a question has a proposal.
        who: who answers; the user of this computer where not given.
        deliver_to: deliver the client's records to a database of this name, made where it is not there.

    Raises:
        UsageError: a name is none, a sample cannot be read, an answer answers nothing, the folder has errors, or its records are of no named client.
    """
    workspace = Workspace(find_root(project), "local")
    workspace.ensure_sound()
    if not CLIENT_NAME.match(client) or client == MAIN_CLIENT:
        raise UsageError(f"{client!r} is no name of a client.", remedy="Begin with a small letter, then small letters, digits, _ and -.")
    _ensure_clients(workspace)
    at = clock()
    record = read_record(workspace.root, client)
    progress("reading the sample")
    known: Descriptions = {}
    for each in samples:
        for given in _take(workspace, client, system, str(each), secret, at, known):
            record.add_sample(given)
    if not record.samples:
        raise UsageError(f"Nothing of {client} has been given yet.", remedy=f"Name what it gives: treaty onboard {client} FILE…")
    record.deliver_to = deliver_to or record.deliver_to or _usual_sink(workspace.root, client)
    read = tuple(_read(workspace, record, known))
    progress("proposing")
    proposal = _settle(workspace, record, read, dict(answers or {}), accept, who or getpass.getuser(), at)
    record.note("proposed", at)
    record.open = len(proposal.questions)
    if not proposal.questions:
        record.note("answered", at)
    written, removed, kept = _write(workspace, record, proposal)
    progress("trying it on the sample")
    rehearsals = rehearse(workspace.root, client, zip(proposal.streams, read, strict=True), clock)
    if any(each.records for each in rehearsals):
        record.note("rehearsed", clock())
    _write_record(workspace.root, record)
    refused = tuple(message for each in read for message in each.refused)
    return OnboardResult(client, proposal.streams, proposal.questions, proposal.answers, rehearsals, written, removed, kept, refused, proposal.references, record.deliver_to)


def _ensure_clients(workspace: Workspace) -> None:
    """Raise UsageError where the project has run without named clients: a first one would take the place of ``main``, and of its records."""
    from treaty.lake.arrivals import first_arrival
    from treaty.lake.scope import OneClient

    if workspace.project.overlays or not workspace.has_lake:
        return
    with workspace.open() as session:
        if first_arrival(session, OneClient(MAIN_CLIENT)) is not None:
            raise UsageError(
                f"The records of {workspace.root} are of the client {MAIN_CLIENT!r}: a first client with a name would take its place.",
                remedy="Onboard clients in a project of their own: `treaty init DIR`.",
            )


def _take(
    workspace: Workspace, client: str, system: str | None, sample: str, secret: str | None, at: datetime, known: Descriptions
) -> Iterator[GivenSample]:  # fmt: skip
    place = Path(sample).expanduser()
    if is_endpoint(sample):
        yield take_endpoint(workspace.root, workspace.state, client, system, sample, secret, at, workspace.project)
    elif is_reference(sample):
        yield from take_tables(workspace.root, workspace.state, client, system, sample, at)
    elif is_description(sample):
        yield from take_description(workspace.root, client, system, sample, at, known)
    elif place.exists():
        yield from take_files(workspace.root, client, system, place, workspace.project, at)
    elif re.match(r"[a-z0-9+]+://", sample):
        kind = sample.partition(":")[0]
        remedy = "Put the whole address into an environment variable, and name that: env:URL#schema.table."
        raise UsageError(f"A {kind} address is not taken as it is: it may hold a password, which stands in no file.", remedy=remedy)
    else:
        raise UsageError(f"There is nothing at {sample}.", remedy="Name a file, a folder, an OpenAPI description, https://HOST/LIST, or env:URL#schema.table.")


def _read(workspace: Workspace, record: OnboardingRecord, known: Descriptions) -> Iterator[ReadSample]:
    kinds: dict[str, list[GivenSample]] = {}
    for each in record.samples:
        kinds.setdefault(each.kind if each.kind in ("file", "openapi") else "reached", []).append(each)
    yield from read_files(workspace.root, kinds.get("file", []), workspace.project)
    yield from read_reached(workspace.root, workspace.state, record.client, kinds.get("reached", []))
    yield from read_described(workspace.root, kinds.get("openapi", []), known)


def _usual_sink(root: Path, client: str) -> str:
    """Return the sink of the other clients, where they have one."""
    found = {each.deliver_to for each in list_records(root) if each.client != client and each.deliver_to}
    return found.pop() if len(found) == 1 else ""


# ---- questions and answers


def _settle(
    workspace: Workspace, record: OnboardingRecord, read: Sequence[ReadSample], given: dict[str, str], accept: bool, who: str, at: datetime
) -> Proposal:
    """Propose with the answers given, again as long as an answer opens a question that is answered too."""
    base = _without_own(workspace.project, record)
    earlier = [(each.client, answer) for each in list_records(workspace.root) if each.client != record.client for answer in each.answers]
    streams = [each.stream for each in read]
    ranks = rank_samples(base, streams)
    while True:
        proposal = propose(base, record.client, streams, record.answers, earlier, ranks)
        asked = {question.topic.id: question for question in (*proposal.questions, *proposal.optional, *proposal.closed)}
        found = [(asked[topic], value) for topic, value in given.items() if topic in asked]
        if accept:
            found += [(each, each.proposal) for each in proposal.questions if each.proposal is not None and each.topic.id not in given]
        for question, value in found:
            given.pop(question.topic.id, None)
            _ensure_option(base, question, value)
            record.add_answer(Answer(question.topic, value, who, at, question.text, question.evidence))
        if not found:
            break
    if given:
        wanted = next(iter(given))
        close = nearest(wanted, asked)
        raise UsageError(f"There is no question {wanted!r}.", remedy=f"Did you mean {close!r}?" if close else "`treaty onboard CLIENT` lists the open ones.")
    said = {each.topic.id: each.value for each in proposal.answers if not each.inherited}
    for question in proposal.closed:  # what is kept of before may have been changed by hand
        if question.topic.id in said:
            _ensure_option(base, question, said[question.topic.id])
    for answer in proposal.answers:
        record.add_answer(answer)
    return proposal


def _ensure_option(project: Project, question: Question, value: str) -> None:
    if question.topic.kind == "model" and value != LEAVE and value not in project.models:
        raise UsageError(f"There is no model {value!r}.", remedy=suggest(value, project.models, "Add the pack that has it to treaty.yaml."))
    if not value.strip():
        raise UsageError(f"The answer to {question.topic.id} is empty.", remedy="Write TOPIC=VALUE, or TOPIC=- to leave it out.")
    remedy = question.refuse(value)
    if remedy is not None:
        raise UsageError(f"{value!r} is no answer to {question.topic.id}: {question.text}", remedy=remedy)


# ---- files


def _without_own(project: Project, record: OnboardingRecord) -> Project:
    """Return the project as it is without what was written for the client before, so that a proposal is no evidence for itself."""
    own = f"clients/{record.client}/"
    files = {file: content for file, content in project.files.items() if not (file.startswith(own) and record.written.get(file) == _digest(content))}
    return load_project_files({**files, f"{own}.gitkeep": b""})


def _write(workspace: Workspace, record: OnboardingRecord, proposal: Proposal) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    project = _without_own(workspace.project, record)
    models = list(dict.fromkeys(each.model for each in proposal.streams if each.model is not None))
    sink = record.deliver_to
    wanted: dict[str, bytes] = render_files(project, record.client, proposal, [f"{each}.{sink}" for each in models] if sink else ())
    wanted |= proposal.drafts.render(client_project(project, record.client))
    shared: dict[str, bytes] = {}
    if sink and models:
        shared = dict(sink_files(project, sink, models))
        shared |= _more_streams(project, sink, models)
        shared |= _enable_delivery(project, sink)
        wanted |= dict(client_outbound(record.client, each, sink) for each in models)
    current = workspace.project.files
    kept = tuple(sorted(file for file in wanted if file in current and record.written.get(file) != _digest(current[file])))
    changes: dict[str, bytes | None] = {file: content for file, content in wanted.items() if file not in kept and current.get(file) != content}
    gone = [file for file in record.written if file not in wanted and file.startswith("clients/") and file in current]
    changes |= {file: None for file in gone if record.written[file] == _digest(current[file])}
    done = write_changes(workspace, {**changes, **shared})
    record.written = {file: _digest(content) for file, content in wanted.items() if file not in kept}
    return done.written, done.removed, kept


def _more_streams(project: Project, sink: str, models: Sequence[str]) -> dict[str, bytes]:
    """Return the sink's file with streams for models that it does not have yet."""
    system = project.systems.get(sink)
    missing = [each for each in models if system is not None and each not in system.streams and f"{each}.{sink}" not in project.mappings]
    if system is None or not missing:
        return {}
    if system.connector != "postgresql":
        raise UsageError(f"{sink} is a system of its own kind ({system.connector}).", remedy="Write its outbound mapping by hand, or name another with --deliver-to.")
    edited = EditedFile(system.position.file, project.files[system.position.file])
    for each in missing:
        edited.settings["streams"][each] = {"format": "table", "write": {"table": f"{sink}.{each}", "create": True}}
    return {system.position.file: edited.render()}


def _enable_delivery(project: Project, sink: str) -> dict[str, bytes]:
    """Return the settings with deliveries switched on; not where another system could be sent something then."""
    local = project.settings.environments.get("local")
    others = [each.to for each in project.mappings.values() if not each.inbound and each.to.partition("/")[0] != sink]
    if others or (local is not None and local.deliver):
        return {}
    edited = EditedFile(SETTINGS_FILE, project.files[SETTINGS_FILE])
    edited.settings.setdefault("environments", {}).setdefault("local", {})["deliver"] = True
    return {SETTINGS_FILE: edited.render()}


def _write_record(root: Path, record: OnboardingRecord) -> None:
    path = root / "clients" / record.client / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(render_record(record))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
