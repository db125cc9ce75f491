"""The files of a proposal, as a person would write them: systems, mappings with the reason of each line, the flow, decisions, and the sink."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from treaty.onboarding.modelling import identity_keys
from treaty.onboarding.paths import spell_path
from treaty.onboarding.proposing import FieldProposal, Proposal, StreamProposal
from treaty.onboarding.targets import ADOPTED
from treaty.project.declarations import DataContract
from treaty.project.loading import Project

WIDTH = 4096


def render_files(project: Project, client: str, proposal: Proposal, outbound: Iterable[str]) -> dict[str, bytes]:
    """Return the client's files by their path in the project; ``outbound`` are the mappings that deliver its models."""
    files: dict[str, bytes] = {}
    base = f"clients/{client}"
    systems: dict[str, list[StreamProposal]] = {}
    for each in proposal.streams:
        if each.model is None and not each.sample.profile.records:
            continue  # one of the many lists of a description
        systems.setdefault(each.sample.system, []).append(each)
    for name, streams in systems.items():
        files[f"{base}/systems/{name}.yaml"] = _system(client, streams)
    inbound = []
    for each in proposal.streams:
        if each.model is not None and not each.missing and (each.sample.shipped or any(one.state == ADOPTED for one in each.fields)):
            inbound.append(each.mapping)
            if not each.sample.shipped:
                files[f"{base}/mappings/{each.mapping}.yaml"] = _mapping(client, project.models[each.model], each)
    named = [each for each in inbound if each not in project.mappings]
    delivered = list(outbound)
    if named or delivered:
        flow = {"reason": f"what {client} gave first", "mappings": [*named, *delivered], "trigger": "manual"}
        files[f"{base}/flows/{client}.yaml"] = dump(flow, f"What runs for {client}.")
    return files | dict(_narrowed_flows(project, client, proposal))


def _narrowed_flows(project: Project, client: str, proposal: Proposal) -> Iterator[tuple[str, bytes]]:
    """Yield the standard's flows less the lists of an API that a client has not given: unlike files that never come, they cannot be read."""
    reached = {each.sample.system for each in proposal.streams if each.sample.shipped and each.sample.connector == "rest"}
    given = {each.sample.shipped for each in proposal.streams}
    for name, flow in project.flows.items():
        sources = {each: project.mappings[each].from_ for each in flow.mappings if each in project.mappings and project.mappings[each].inbound}
        absent = {each for each, source in sources.items() if source.partition("/")[0] in reached and source not in given}
        if absent:
            settings = {"reason": f"what {client} gave of {', '.join(sorted(reached))}", "mappings": [each for each in flow.mappings if each not in absent]}
            yield f"clients/{client}/flows/{name}.yaml", dump(settings, f"What runs for {client}, of what a pack reads.")


def _system(client: str, found: Sequence[StreamProposal]) -> bytes:
    first = found[0].sample
    if first.shipped:
        connector = {"connector": first.connector} if first.connector != "files" else {}
        settings: dict[str, Any] = {"reason": f"{client} has {'documents' if not connector else 'an account'} of its own", **connector, "connection": dict(first.connection)}
        streams = {each.sample.name: dict(each.sample.settings) if each.sample.shipped else _stream(each) for each in found if each.sample.settings}
        about = f"The documents of {client}; a pack reads them." if not connector else f"How {first.system} is reached for {client}; a pack reads it."
        return dump({**settings, **({"streams": streams} if streams else {})}, about)
    settings = {
        "reason": f"{client}'s own system", "connector": first.connector, "connection": dict(first.connection), "classification": "confidential",
        "streams": {each.sample.name: _stream(each) for each in found},
    }  # fmt: skip
    return dump(settings, f"{first.system} of {client}, as its first samples show it.")


def _stream(proposal: StreamProposal) -> dict[str, Any]:
    settings = dict(proposal.sample.settings)
    read = settings.pop("read", {})
    if proposal.key:
        settings["key"] = list(proposal.key)
    settings["version"] = proposal.version
    return {**settings, "read": read}


def _mapping(client: str, contract: DataContract, proposal: StreamProposal) -> bytes:
    settings = CommentedMap({"reason": f"{client}'s own system", "from": proposal.sample.place, "to": proposal.model})
    fields = CommentedMap()
    adopted = {each.target: each for each in proposal.fields if each.state == ADOPTED and each.target is not None}
    for name in [each.name for each in contract.properties]:
        if name in proposal.constants:
            fields[name] = proposal.constants[name]
            fields.yaml_add_eol_comment("the same for every record", name)
        elif name in adopted:
            _add(fields, name, adopted[name])
        else:
            group = {target.partition(".")[2]: each for target, each in adopted.items() if target.startswith(f"{name}.")}
            if group:
                fields[name] = _group(proposal, group)
    settings["fields"] = fields
    left = [each.source for each in proposal.fields if each.state != ADOPTED]
    text = f"Written by `treaty onboard`. Not mapped, and kept in the landing: {', '.join(left)}." if left else "Written by `treaty onboard`."
    return dump(settings, text)


def _group(proposal: StreamProposal, members: Mapping[str, FieldProposal]) -> CommentedMap:
    around = next(each for each in sorted(proposal.sample.lists, key=len) if next(iter(members.values())).source.startswith(f"{each}/"))
    fields = CommentedMap()
    for name, each in members.items():
        _add(fields, name, each)
    return CommentedMap({"each": spell_path(around), "fields": fields})


def _add(fields: CommentedMap, name: str, proposal: FieldProposal) -> None:
    fields[name] = proposal.cell
    told = "; ".join(proposal.reasons[:3])
    fields.yaml_add_eol_comment(f"{proposal.confidence:.0%}{f': {told}' if told else ''}", name)


# ---- the sink


def sink_files(project: Project, name: str, models: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield what delivers models to an embedded database: the system with a stream a model, and an outbound mapping each; what is there is left out."""
    wanted = [each for each in models if f"{each}.{name}" not in project.mappings]
    if not wanted:
        return
    streams = {each: {"format": "table", "write": {"table": f"{name}.{each}", "create": True}} for each in wanted}
    if name not in project.systems:
        system = {"connector": "postgresql", "connection": {"embedded": name}, "classification": "confidential", "streams": streams}
        yield f"systems/{name}.yaml", dump(system, "Where golden records are delivered: a database of the PostgreSQL that comes with Treaty.")
    for each in wanted:
        yield f"mappings/{each}.{name}.yaml", _outbound(project, each, name)


def _outbound(project: Project, model: str, sink: str) -> bytes:
    contract = project.models[model]
    scalars = [each.name for each in contract.properties if not each.properties and not each.type.startswith(("list", "struct"))]
    key = min((list(each) for each in identity_keys(project, contract) if set(each) <= set(scalars)), key=lambda each: _null_share(contract, each), default=scalars[:1])
    settings: dict[str, Any] = {"from": model, "to": f"{sink}/{model}"}
    absent = [each for each in key if not _required(contract, each)]
    if absent:
        settings["where"] = " and ".join(f"{each} is not null" for each in absent)
    settings |= {"key": ["client", *key], "mode": "upsert", "delete": "send", "fields": {"client": "'main'", **{each: each for each in scalars}}}
    return dump(settings, f"Golden {model} records as {sink} gets them; each client's overlay names the client.")


def _required(contract: DataContract, name: str) -> bool:
    found = contract.find(name)
    return found is not None and found.required


def _null_share(contract: DataContract, key: list[str]) -> int:
    return sum(not _required(contract, each) for each in key)


def client_outbound(client: str, model: str, sink: str) -> tuple[str, bytes]:
    """Return the overlay's file that names the client in what is delivered."""
    settings = {"reason": f"{sink} keeps the records of all clients in one table", "fields": {"client": {"cell": f"'{client}'", "reason": "names the client"}}}
    return f"clients/{client}/mappings/{model}.{sink}.yaml", dump(settings, "")


def dump(settings: Any, comment: str) -> bytes:
    """Return settings as YAML, short lists on one line, below a comment."""
    yaml = YAML(typ="rt", pure=True)
    yaml.width = WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    yaml.dump(_flow(settings), out)
    return ("".join(f"# {line}\n" for line in comment.splitlines() if line) + out.getvalue()).encode()


def _flow(value: Any) -> Any:
    """Return nested settings with lists of texts, and small mappings of settings, on one line."""
    if isinstance(value, CommentedMap):
        for name in value:
            value[name] = _flow(value[name])
        return value
    if isinstance(value, Mapping):
        made = CommentedMap({name: _flow(each) for name, each in value.items()})
        if value and all(isinstance(each, str | bool | int) for each in value.values()) and len(value) <= 4:
            made.fa.set_flow_style()
        return made
    if isinstance(value, list | tuple):
        made_list = CommentedSeq(_flow(each) for each in value)
        made_list.fa.set_flow_style()
        return made_list
    return value
