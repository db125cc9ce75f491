"""Loads a project folder, or a stored copy of its files, into one immutable :class:`Project`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias, cast

from treaty.project.contracts import contract_reason, read_contract
from treaty.project.declarations import DataContract, DecisionRecord, EntityMapping, Flow, Hook, Overlay, ProjectSettings, System
from treaty.project.files import KEEP, OVERLAY_FOLDERS, SETTINGS_FILE, SUFFIXES, collect_files, hash_files, pack_of, pack_order, packs_below
from treaty.project.findings import Finding, Findings, Position, nearest, sort_findings
from treaty.project.hooks import find_hooks
from treaty.project.markdown import DecisionFile, parse_decision, read_decision
from treaty.project.merging import FileKind, find_disagreements, mark_origin, merge_file
from treaty.project.reading import read_declared
from treaty.project.yaml import MapNode, Node, ScalarNode, parse_yaml

Parsed: TypeAlias = Node | DecisionFile
Read: TypeAlias = System | DataContract | DecisionRecord | EntityMapping | Flow
PARSED_FILES = 4096
KINDS: tuple[FileKind, ...] = ("systems", "models", "decisions", "mappings", "flows")
BESIDE = "Let both packs say the same, or choose another name in one of them."
BESIDE_MODEL = "A project has one model of a name: take one of the packs and map to its model what the other's systems have, or make a project for each."


@dataclass(frozen=True, kw_only=True, eq=False)
class Project:
    """Everything a project folder declares, packs included, with all problems found while reading it.

    ``files`` holds the content it was read from by relative path, packs below ``packs/NAME/``: :func:`load_project_files`
    reads the same project from it. ``broken`` names what is there but could not be read (``mappings/ubl.invoices``).
    """

    settings: ProjectSettings
    systems: Mapping[str, System]
    models: Mapping[str, DataContract]
    decisions: Mapping[str, DecisionRecord]
    mappings: Mapping[str, EntityMapping]
    flows: Mapping[str, Flow]
    overlays: Mapping[str, Overlay]
    hooks: Mapping[str, Hook]
    packs: tuple[str, ...]
    findings: tuple[Finding, ...]
    files: Mapping[str, bytes]
    broken: frozenset[str] = frozenset()
    root: Path | None = None  # None where it was read from stored files

    @cached_property
    def content_hash(self) -> str:
        """The hash of all files: equal for equal projects."""
        return hash_files(self.files)


def load_project(root: Path) -> Project:
    """Read the project in folder ``root``; problems are in its findings. Raise UsageError where there is no project."""
    findings = Findings()
    files = collect_files(root, findings)
    return _Loader(files, findings).load(root)


def load_project_files(files: Mapping[str, bytes]) -> Project:
    """Read a project from the content of its files, as :attr:`Project.files` keeps it."""
    return _Loader(files, Findings()).load(None)


@lru_cache(maxsize=PARSED_FILES)
def _parse_file(kind: FileKind, file: str, content: bytes) -> tuple[Parsed | None, tuple[Finding, ...]]:
    """Return what a file says and what is wrong with it: a plan loads a project once for each changed thing, and nearly all files are the same."""
    findings = Findings()
    parsed = parse_decision(content, file, findings) if kind == "decisions" else parse_yaml(content, file, findings)
    return parsed, tuple(findings)


class _Loader:
    """Parses each file once, lays packs, project and overlays over one another, and reads the resultants."""

    def __init__(self, files: Mapping[str, bytes], findings: Findings) -> None:
        self.files = files
        self.findings = findings
        self.broken: set[str] = set()
        self.standard: dict[FileKind, dict[str, Parsed]] = {kind: {} for kind in KINDS}

    def load(self, root: Path | None) -> Project:
        settings = self.settings()
        packs = pack_order(self.files)
        hooks: dict[str, Hook] = {}
        for layer in (*(f"packs/{name}/" for name in packs), ""):
            self.layer(layer)
            self.hooks(layer, hooks)
        read: dict[FileKind, dict[str, Any]] = {kind: self.read_all(kind) for kind in KINDS}
        return Project(
            settings=settings,
            systems=read["systems"],
            models=read["models"],
            decisions=read["decisions"],
            mappings=read["mappings"],
            flows=read["flows"],
            overlays=dict(self.overlays()),
            hooks=hooks,
            packs=packs,
            findings=sort_findings(self.findings),
            files=self.files,
            broken=frozenset(self.broken),
            root=root,
        )

    def settings(self) -> ProjectSettings:
        node = parse_yaml(self.files[SETTINGS_FILE], SETTINGS_FILE, self.findings)
        settings = read_declared(ProjectSettings, node, self.findings) if node is not None else None
        if settings is None:
            self.broken.add(SETTINGS_FILE)
        return settings or ProjectSettings(name="unnamed", position=Position(SETTINGS_FILE))

    def layer(self, prefix: str) -> None:
        """Lay one pack's files, or the project's own, over what is there already."""
        known = packs_below(self.files, prefix)
        for kind in KINDS:
            for name, parsed in self.parse_all(kind, prefix):
                below = self.standard[kind].get(name)
                if below is None:
                    self.standard[kind][name] = parsed
                    continue
                if not _reason(parsed):
                    self.disagree(kind, name, below, parsed, known)
                self.standard[kind][name] = merge_file(kind, below, parsed)

    def disagree(self, kind: FileKind, name: str, below: Parsed, parsed: Parsed, known: frozenset[str]) -> None:
        """Report what a file says otherwise than packs do, without a reason: those that its folder builds on (``known``), or one beside it."""
        what = f"{kind.removesuffix('s')} {name!r}"
        for each in find_disagreements(kind, below, parsed):
            said = f"{each.setting!r} of the {what}" if each.setting else f"the {what}"
            there = f"{each.other.file}:{each.other.line}"
            if pack_of(each.other.file) in known:
                setting = "the custom property 'treaty.reason'" if kind == "models" else "'reason:'"
                self.findings.error(
                    "override-without-reason",
                    f"{said} takes the place of what {there} says, and gives no reason",
                    f"Give {setting}, or choose another name.",
                    each.position,
                )
            else:
                self.findings.error(
                    "packs-disagree",
                    f"{said} differs from what {there} says, and neither pack builds on the other",
                    BESIDE_MODEL if kind == "models" else BESIDE,
                    each.position,
                )

    def parse_all(self, kind: FileKind, prefix: str) -> Iterator[tuple[str, Parsed]]:
        """Yield the files of one kind directly below ``prefix``, each with the name that it declares."""
        seen: dict[str, str] = {}
        for file in sorted(self.files):
            if not (file.startswith(f"{prefix}{kind}/") and file.endswith(SUFFIXES[kind])):
                continue
            parsed = self.parse(kind, file)
            if parsed is None:
                self.broken.add(f"{kind}/{_stem(file)}")
                continue
            name = self.name(kind, parsed, file)
            if name in seen:
                self.findings.error(
                    "duplicate-id", f"{name!r} is declared in {seen[name]} already", "Give each its own name.", _position(parsed)
                )
                continue
            seen[name] = file
            yield name, parsed

    def parse(self, kind: FileKind, file: str) -> Parsed | None:
        parsed, found = _parse_file(kind, file, self.files[file])
        self.findings += found
        return parsed

    def name(self, kind: FileKind, parsed: Parsed, file: str) -> str:
        """Return the declared name, else the file's; decisions and models must be named as their file is."""
        stem = _stem(file)
        node: Node = parsed.settings if isinstance(parsed, DecisionFile) else parsed
        declared = _declared_name(kind, node)
        if declared is None:
            return stem
        if kind in ("decisions", "models") and declared.text != stem:
            self.findings.error(
                "name-mismatch",
                f"{declared.text!r} stands in a file named {stem!r}",
                f"Rename the file to '{declared.text}{SUFFIXES[kind]}'.",
                declared.position,
            )
        return declared.text

    def read_all(self, kind: FileKind) -> dict[str, Read]:
        found: dict[str, Read] = {}
        for name, parsed in self.standard[kind].items():
            read = self.read(kind, name, parsed, "standard")
            if read is None:
                self.broken.add(f"{kind}/{name}")
            else:
                found[name] = read
        return found

    def read(self, kind: FileKind, name: str, parsed: Parsed, origin: str) -> Read | None:
        if isinstance(parsed, DecisionFile):
            return read_decision(parsed, self.findings, origin)
        if kind == "models":
            return read_contract(parsed, _position(parsed).file, self.findings)
        declaration = cast(Any, {"systems": System, "mappings": EntityMapping, "flows": Flow}[kind])
        read = read_declared(declaration, parsed, self.findings)
        return cast(Read, dataclasses.replace(read, name=name)) if read is not None else None

    def hooks(self, prefix: str, hooks: dict[str, Hook]) -> None:
        for file in sorted(self.files):
            if file.startswith(f"{prefix}hooks/") and file.endswith(".py"):
                for hook in find_hooks(self.files[file], file, self.findings):
                    if hook.name in hooks:
                        self.findings.error(
                            "duplicate-id",
                            f"hook {hook.name!r} is declared in {hooks[hook.name].file} already",
                            "Give each its own name.",
                            hook.position,
                        )
                    hooks.setdefault(hook.name, hook)

    def overlays(self) -> Iterator[tuple[str, Overlay]]:
        clients = sorted({PurePosixPath(file).parts[1] for file in self.files if file.startswith("clients/") and file.count("/") >= 2})
        for client in clients:
            folder = f"clients/{client}/"
            read = {kind: self.overlay(cast(FileKind, kind), client, folder) for kind in OVERLAY_FOLDERS}
            yield client, Overlay(client=client, position=Position(f"{folder}{KEEP}"), **cast(Any, read))

    def overlay(self, kind: FileKind, client: str, folder: str) -> dict[str, Read]:
        found: dict[str, Read] = {}
        for name, parsed in self.parse_all(kind, folder):
            base = self.standard[kind].get(name)
            if f"{kind}/{name}" in self.broken:
                self.broken.add(f"{folder}{kind}/{name}")
                continue  # what the standard lacks would be reported a second time
            before = len(self.findings)
            read = self.read(kind, name, merge_file(kind, base, parsed) if base is not None else parsed, "overlay")
            if read is None and base is None and _reason(parsed):
                del self.findings[before:]  # it lacks what the standard was to give
                self.nothing_to_override(kind, name, client, parsed)
            if read is None:
                self.broken.add(f"{folder}{kind}/{name}")
            else:
                found[name] = mark_origin(read, folder) if isinstance(read, EntityMapping) else read
        return found

    def nothing_to_override(self, kind: FileKind, name: str, client: str, parsed: Parsed) -> None:
        what = kind.removesuffix("s")
        near = nearest(name, self.standard[kind])
        remedy = f"Did you mean {near!r}? Name the file so too." if near else f"Bring back the one below it, correct its name, or declare a whole {what} without 'reason:'."
        node: Node = parsed.settings if isinstance(parsed, DecisionFile) else parsed
        declared = _declared_name(kind, node)
        position = declared.position if declared is not None else _position(parsed)
        self.findings.error("unknown-override", f"{client} overrides the {what} {name!r}, and there is none", remedy, position)


def _stem(file: str) -> str:
    return PurePosixPath(file).name.removesuffix(PurePosixPath(file).suffix)


def _position(parsed: Parsed) -> Position:
    return parsed.settings.position if isinstance(parsed, DecisionFile) else parsed.position


def _declared_name(kind: FileKind, node: Node) -> ScalarNode | None:
    if kind == "models":
        objects = node.items.get("schema") if isinstance(node, MapNode) else None
        model = objects.value[0] if objects is not None and isinstance(objects.value, list) and objects.value else None
        if not isinstance(model, dict):
            return None
        node = cast(MapNode, cast(Any, objects).items[0])
    found = node.items.get("id" if kind == "decisions" else "name") if isinstance(node, MapNode) else None
    return found if isinstance(found, ScalarNode) else None


def _reason(parsed: Parsed) -> str:
    node: Node = parsed.settings if isinstance(parsed, DecisionFile) else parsed
    given = node.items.get("reason") if isinstance(node, MapNode) else None
    return given.text if isinstance(given, ScalarNode) else contract_reason(node)
