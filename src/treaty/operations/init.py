"""``init``: a project folder that runs as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from treaty.errors import UsageError
from treaty.project.files import SETTINGS_FILE, SUFFIXES, catalog_folder, shipped_packs
from treaty.project.findings import nearest
from treaty.project.loading import Project, load_project
from treaty.project.overlays import client_project, clients

IGNORED = ".treaty/\n"


@dataclass(frozen=True, slots=True)
class InitResult:
    """What was made: the folder, its packs, the folders that its systems read, and its models and flows."""

    folder: Path
    packs: tuple[str, ...]
    inboxes: tuple[str, ...]
    models: tuple[str, ...]
    flows: tuple[str, ...]


def init(folder: Path | str, packs: Sequence[str] = ()) -> InitResult:
    """Make a project in ``folder``, building on packs: shipped ones by name, others by folder.

    Raises:
        UsageError: there is a project already, or a pack that there is not.
    """
    root = Path(folder).expanduser().resolve()
    if (root / SETTINGS_FILE).exists():
        raise UsageError(f"{root} is a Treaty project already.", remedy=f"Name another folder, or add packs to its {SETTINGS_FILE}.")
    for pack in packs:
        _ensure_pack(pack)
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
                below = PurePosixPath(str(system.connection.get("folder", ""))) / pattern.parent
                if not below.is_absolute() and ".." not in below.parts and not set("*?{[") & set(str(below)):
                    folders.append(str(below))
    return [each for each in folders if each != "."]
