"""``init``: a project folder that runs as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from treaty.errors import UsageError
from treaty.operations.ci import WrittenWorkflow, ensure_service, write_workflow
from treaty.operations.descriptions import describe_system
from treaty.operations.workspace import find_workspace
from treaty.project.files import SETTINGS_FILE, SUFFIXES, catalog_folder, project_files, shipped_packs
from treaty.project.findings import nearest
from treaty.project.loading import Project, load_project, load_project_files
from treaty.project.overlays import client_project, clients

IGNORED = ".treaty/\n"


@dataclass(frozen=True, slots=True)
class WrittenSystem:
    """A system written from a description: its name and file, its streams, and which list operations were left out, and why."""

    name: str
    file: str
    streams: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InitResult:
    """What was made: the folder, its packs, the folders that its systems read, its models and flows, the system of a description, and the workflow."""

    folder: Path
    packs: tuple[str, ...]
    inboxes: tuple[str, ...]
    models: tuple[str, ...]
    flows: tuple[str, ...]
    system: WrittenSystem | None = None
    workflow: WrittenWorkflow | None = None


def init(
    folder: Path | str,
    packs: Sequence[str] = (),
    *,
    from_openapi: Path | str | None = None,
    system: str | None = None,
    ci: str | None = None,
    environment: str | None = None,
) -> InitResult:
    """Make a project in ``folder``, building on packs: shipped ones by name, others by folder.

    With ``from_openapi`` a REST system is written from that description, with ``ci`` (``github`` or ``gitlab``) the workflow that reviews changes by what
    has landed in ``environment``; then the folder may be a project already, which gets these.

    Raises:
        UsageError: there is a project already, a pack or service that there is not, or a description that offers nothing.
    """
    root = Path(folder).expanduser().resolve()
    if ci is not None:
        ensure_service(ci)
    made = _init(root, packs, from_openapi, system, more=ci is not None)
    return made if ci is None else replace(made, workflow=write_workflow(find_workspace(root, environment), ci))


def _init(root: Path, packs: Sequence[str], from_openapi: Path | str | None, system: str | None, *, more: bool) -> InitResult:
    """Make the project, or the system of a description; ``more`` lets a project that is there be as it is."""
    if from_openapi is None:
        if system is not None:
            raise UsageError("A system's name belongs to a description.", remedy="Add --from-openapi FILE, or leave --system out.")
        there = more and not packs and (root / SETTINGS_FILE).exists()
        return InitResult(root, (), (), (), ()) if there else _make(root, packs)
    there = (root / SETTINGS_FILE).exists()
    if there and packs:
        raise UsageError(f"{root} is a Treaty project already.", remedy=f"Add packs to its {SETTINGS_FILE}; --from-openapi alone adds a system.")
    described = describe_system(Path(from_openapi), system)
    file = root / "systems" / f"{described.name}.yaml"
    if file.exists():
        raise UsageError(f"{file} is there already.", remedy="Give another --system NAME, or remove the file.")
    made = InitResult(root, (), (), (), ()) if there else _make(root, packs)
    file.parent.mkdir(exist_ok=True)
    file.write_text(described.text, encoding="utf-8")
    project = load_project(root)
    written = WrittenSystem(described.name, file.relative_to(root).as_posix(), described.streams, described.left_out)
    return replace(made, packs=tuple(packs), models=tuple(sorted(project.models)), flows=tuple(sorted(project.flows)), system=written)


def _make(root: Path, packs: Sequence[str]) -> InitResult:
    if (root / SETTINGS_FILE).exists():
        raise UsageError(f"{root} is a Treaty project already.", remedy=f"Name another folder, or add packs to its {SETTINGS_FILE}.")
    for pack in packs:
        _ensure_pack(pack)
    settings = _settings(root.name, packs)
    _ensure_apart(root, settings)
    root.mkdir(parents=True, exist_ok=True)
    (root / SETTINGS_FILE).write_text(settings, encoding="utf-8")
    if not (root / ".gitignore").exists():
        (root / ".gitignore").write_text(IGNORED, encoding="utf-8")
    for name in SUFFIXES:
        (root / name).mkdir(exist_ok=True)
    _copy_templates(root, packs)
    project = load_project(root)
    inboxes = tuple(dict.fromkeys(_inboxes(project)))
    for inbox in inboxes:
        (root / inbox).mkdir(parents=True, exist_ok=True)
    return InitResult(root, tuple(packs), inboxes, tuple(sorted(project.models)), tuple(sorted(project.flows)))


def _ensure_pack(pack: str) -> None:
    known = shipped_packs()
    if "/" in pack or pack in known:
        return
    found = nearest(pack, known)
    remedy = f"Did you mean {found!r}?" if found else f"Shipped packs: {', '.join(known)}. Name your own by folder, as ./packs/{pack}."
    raise UsageError(f"There is no pack {pack!r}.", remedy=remedy)


def _ensure_apart(root: Path, settings: str) -> None:
    """Raise UsageError where packs say different things under one name: the one would take the place of the other's."""
    found = next((each for each in load_project_files(project_files(root, settings.encode())).findings if each.code == "packs-disagree"), None)
    if found is not None:
        message = f"These packs cannot stand in one project: {found.message}. See {found.position}."
        raise UsageError(message, remedy=found.remedy)


def _copy_templates(root: Path, packs: Sequence[str]) -> None:
    """Copy what packs give a new project, all but their settings; a README of several is joined, and nothing that is there is written over."""
    given: dict[Path, bytes] = {}
    for pack in packs:
        folder = (Path(pack).expanduser().resolve() if "/" in pack else catalog_folder() / pack) / "template"
        for source in sorted(each for each in folder.rglob("*") if each.is_file() and each.name != SETTINGS_FILE):
            target, content = root / source.relative_to(folder), source.read_bytes()
            if target not in given:
                given[target] = content
            elif source.stem == "README" and content not in given[target]:
                given[target] += content
    for target, content in given.items():
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def _settings(name: str, packs: Sequence[str]) -> str:
    lines = ["# What this project is called, what it builds on, and where it runs.", f"name: {name}"]
    if packs:
        lines.append(f"packs: [{', '.join(packs)}]")
    lines += ["environments:", "  local:", "    deliver: false  # true: sinks are written"]
    return "\n".join(lines) + "\n"


def _inboxes(project: Project) -> list[str]:
    """Return the folders below the project that its file systems read."""
    folders = []
    for client in clients(project):
        for system in client_project(project, client).systems.values():
            if system.connector != "files":
                continue
            for stream in system.streams.values():
                pattern = PurePosixPath(str(stream.read.get("files", "")))
                folder = str(system.connection.get("folder", ""))
                below = PurePosixPath(folder) / pattern.parent
                if "://" not in folder and not below.is_absolute() and ".." not in below.parts and not set("*?{[") & set(str(below)):
                    folders.append(str(below))
    return [each for each in folders if each != "."]
