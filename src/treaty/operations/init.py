"""``init``: a project folder that runs as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path, PurePosixPath

from treaty.errors import UsageError
from treaty.operations.ci import WrittenWorkflow, ensure_service, write_workflow
from treaty.operations.descriptions import describe_system
from treaty.operations.workspace import find_workspace
from treaty.project.files import SETTINGS_FILE, SUFFIXES, catalog_folder, shipped_packs
from treaty.project.findings import nearest
from treaty.project.loading import Project, load_project
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
    _ensure_apart([each for each in packs if "/" not in each])
    root.mkdir(parents=True, exist_ok=True)
    (root / SETTINGS_FILE).write_text(_settings(root.name, packs), encoding="utf-8")
    if not (root / ".gitignore").exists():
        (root / ".gitignore").write_text(IGNORED, encoding="utf-8")
    for name in SUFFIXES:
        (root / name).mkdir(exist_ok=True)
    for pack in packs:
        _copy_template(root, pack)
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


def _ensure_apart(packs: Sequence[str]) -> None:
    """Raise UsageError where two shipped packs declare the same thing: the one would take the place of the other's."""
    for first, second in combinations(packs, 2):
        both = sorted(_declared(first) & _declared(second))
        if both:
            raise UsageError(
                f"The packs {first} and {second} cannot stand in one project: both declare {', '.join(both)}.",
                remedy="Make a project for each; two projects may deliver to the same systems.",
            )


def _declared(pack: str) -> set[str]:
    folder = catalog_folder() / pack
    return {f"{kind}/{each.stem}" for kind, suffix in SUFFIXES.items() for each in (folder / kind).glob(f"*{suffix}")}


def _copy_template(root: Path, pack: str) -> None:
    """Copy what a pack gives a new project, all but its settings; nothing that is there is written over."""
    folder = (Path(pack).expanduser().resolve() if "/" in pack else catalog_folder() / pack) / "template"
    for source in sorted(folder.rglob("*")):
        target = root / source.relative_to(folder)
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        elif source.name != SETTINGS_FILE and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())


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
