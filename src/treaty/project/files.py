"""Collects the files that make a project: its own, and those of the packs that it builds on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path, PurePosixPath

from treaty.errors import UsageError
from treaty.project.findings import Findings, Position, nearest, suggest
from treaty.project.yaml import ListNode, MapNode, Node, ScalarNode, parse_yaml

SETTINGS_FILE = "treaty.yaml"
SUFFIXES: Mapping[str, str] = {
    "systems": ".yaml",
    "models": ".yaml",
    "decisions": ".md",
    "mappings": ".yaml",
    "flows": ".yaml",
    "hooks": ".py",
}
OVERLAY_FOLDERS = ("systems", "decisions", "mappings", "flows")
OTHER_FOLDERS = ("clients", "playbook", "tests", "packs")
KEEP = ".gitkeep"


def catalog_folder() -> Path:
    """Return the folder of the packs that Treaty ships."""
    return Path(str(resources.files("treaty"))) / "catalog"


def shipped_packs() -> tuple[str, ...]:
    """Return the names of the packs that Treaty ships."""
    folder = catalog_folder()
    return tuple(sorted(each.parent.name for each in folder.glob(f"*/{SETTINGS_FILE}")))


def collect_files(root: Path, findings: Findings) -> dict[str, bytes]:
    """Read all files of the project in folder ``root``, packs below ``packs/NAME/``; raise UsageError where there is none."""
    if not (root / SETTINGS_FILE).is_file():
        raise UsageError(
            f"{root} is no Treaty project: it has no {SETTINGS_FILE}.", remedy="Name its folder, or make one with 'treaty init DIR'."
        )
    files = _folder_files(root, "", findings)
    _collect_packs(root, files, "", files, findings, ())
    return files


def project_files(root: Path, settings: bytes) -> dict[str, bytes]:
    """Return the files of a project that would be in folder ``root`` with these settings and nothing of its own: its packs'."""
    files = {SETTINGS_FILE: settings}
    _collect_packs(root, files, "", files, Findings(), ())
    return files


def _folder_files(root: Path, prefix: str, findings: Findings) -> dict[str, bytes]:
    found = {f"{prefix}{SETTINGS_FILE}": (root / SETTINGS_FILE).read_bytes()}
    for entry in sorted(root.iterdir()):
        if not entry.is_dir():
            continue
        if entry.name in SUFFIXES:
            found.update(_typed_files(entry, f"{prefix}{entry.name}", SUFFIXES[entry.name], findings))
        elif entry.name == "clients" and not prefix:
            for client in sorted(each for each in entry.iterdir() if each.is_dir()):
                found.update(_client_files(client, f"clients/{client.name}", findings))
        elif entry.name not in OTHER_FOLDERS and nearest(entry.name, SUFFIXES) and not entry.name.startswith("."):
            findings.warning(
                "unknown-folder",
                f"the folder {entry.name!r} is not read",
                suggest(entry.name, SUFFIXES, "Rename it."),
                Position(f"{prefix}{entry.name}"),
            )
    return found


def _client_files(folder: Path, prefix: str, findings: Findings) -> dict[str, bytes]:
    found = {f"{prefix}/{KEEP}": b""}  # a client is there by its folder, even an empty one
    for entry in sorted(each for each in folder.iterdir() if each.is_dir()):
        if entry.name in OVERLAY_FOLDERS:
            found.update(_typed_files(entry, f"{prefix}/{entry.name}", SUFFIXES[entry.name], findings))
        else:
            findings.error(
                "unknown-folder",
                f"an overlay has no folder {entry.name!r}",
                suggest(entry.name, OVERLAY_FOLDERS, "Models and hooks are of the standard: move it there."),
                Position(f"{prefix}/{entry.name}"),
            )
    return found


def _typed_files(folder: Path, prefix: str, suffix: str, findings: Findings) -> dict[str, bytes]:
    found = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name = f"{prefix}/{path.relative_to(folder).as_posix()}"
        if path.suffix == suffix:
            found[name] = path.read_bytes()
        elif suffix != ".py" and not path.name.startswith(".") and path.stem.upper() != "README":
            findings.warning(
                "unknown-file", f"{path.name!r} is not read", f"Name it '{path.stem}{suffix}', or move it elsewhere.", Position(name)
            )
    return found


def _collect_packs(
    root: Path, own: Mapping[str, bytes], prefix: str, files: dict[str, bytes], findings: Findings, above: tuple[str, ...]
) -> None:
    """Add the files of each pack that ``prefix``'s settings name, and of the packs that those name."""
    for entry, position in named_packs(own[f"{prefix}{SETTINGS_FILE}"], f"{prefix}{SETTINGS_FILE}"):
        name = PurePosixPath(entry).name
        if name in above:
            findings.error(
                "pack-cycle", f"packs depend on each other: {' → '.join((*above, name))}", "Remove one of the dependencies.", position
            )
            continue
        below = f"packs/{name}/"
        if f"{below}{SETTINGS_FILE}" in files:
            continue
        folder = root / entry if "/" in entry else catalog_folder() / entry
        if not (folder / SETTINGS_FILE).is_file():
            otherwise = f"Packs by name ship with Treaty; give the folder of your own, such as './packs/{name}'."
            findings.error("unknown-pack", f"no pack {entry!r}", suggest(entry, shipped_packs(), otherwise), position)
            continue
        files.update(_folder_files(folder, below, findings))
        _collect_packs(folder, files, below, files, findings, (*above, name))


def named_packs(content: bytes, file: str) -> list[tuple[str, Position]]:
    """Return the packs that a ``treaty.yaml`` names, each with its place; problems are the reader's to report."""
    node: Node | None = parse_yaml(content, file, Findings())
    packs = node.items.get("packs") if isinstance(node, MapNode) else None
    entries = packs.items if isinstance(packs, ListNode) else [packs] if packs is not None else []
    return [(each.text, each.position) for each in entries if isinstance(each, ScalarNode)]


def pack_order(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the names of a project's packs, each after those that it builds on."""
    order: list[str] = []

    def visit(prefix: str, above: tuple[str, ...]) -> None:
        for entry, _ in named_packs(files[f"{prefix}{SETTINGS_FILE}"], SETTINGS_FILE):
            name = PurePosixPath(entry).name
            if name not in above and f"packs/{name}/{SETTINGS_FILE}" in files:
                visit(f"packs/{name}/", (*above, name))
                if name not in order:
                    order.append(name)

    visit("", ())
    return tuple(order)


def packs_below(files: Mapping[str, bytes], prefix: str) -> frozenset[str]:
    """Return the names of the packs that what is at ``prefix`` builds on: the project at an empty one, a pack at ``packs/NAME/``."""
    found: set[str] = set()

    def visit(prefix: str) -> None:
        for entry, _ in named_packs(files[f"{prefix}{SETTINGS_FILE}"], SETTINGS_FILE):
            name = PurePosixPath(entry).name
            if name not in found and f"packs/{name}/{SETTINGS_FILE}" in files:
                found.add(name)
                visit(f"packs/{name}/")

    visit(prefix)
    return frozenset(found)


def pack_of(file: str) -> str | None:
    """Return the name of the pack that a file of a project is of, None for the project's own."""
    parts = PurePosixPath(file).parts
    return parts[1] if parts[0] == "packs" and len(parts) > 2 else None


def hash_files(files: Mapping[str, bytes]) -> str:
    """Return the hash (SHA-256, hexadecimal) of a set of files: their paths and contents."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path}\0{len(files[path])}\0".encode())
        digest.update(files[path])
    return digest.hexdigest()
