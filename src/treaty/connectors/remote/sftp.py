"""A directory of an SFTP server, whose host keys the connection names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncssh
from fsspec.asyn import sync
from sshfs import SSHFileSystem

from treaty.connectors.egress import ensure_allowed
from treaty.connectors.files import FilesConnection
from treaty.connectors.folders import ChangedWhileRead, FoundFile
from treaty.connectors.remote.folder import DEADLINE_SECONDS, Read, RemoteFolder, port_of
from treaty.errors import StopError, TreatyError

PORT = 22
TICK_SECONDS = 1.1  # SFTP tells times in whole seconds
YOUNG_SECONDS = 3600  # beyond any clock's error: a file older than this is not being changed within this second
MOST_DEPTH = 100


class SftpFolder(RemoteFolder):
    """Files below a directory. Their size and time are the stamp.

    A file is read only once its second is over on the server's clock, so whatever changes it later shows in its time. Only the keys and
    the password of the connection are offered, and only a server with one of its host keys is spoken to: nothing of ``~/.ssh`` is read.
    """

    def __init__(self, connection: FilesConnection) -> None:
        told = urlsplit(connection.folder)
        self._host, self._port = told.hostname or "", port_of(told, PORT)
        super().__init__(f"sftp://{self._host}:{self._port}{told.path}")
        if not self._host or told.username is not None or told.query or told.fragment:
            raise StopError(
                f"{self.shown} is not the address of a directory.", remedy="Write it like sftp://host/path, and the user as `user`."
            )
        if not connection.user or (connection.secret is None and connection.private_key is None):
            raise StopError("connection: SFTP needs `user`, and `secret` or `private_key`.", remedy="Add them.")
        if not connection.host_keys:
            remedy = f"Ask the server's owner for it, and add `host_keys:`; `ssh-keyscan -p {self._port} {self._host}` shows what it sends."
            raise StopError("connection: SFTP needs `host_keys`, the server's public key.", remedy=remedy)
        self._root = "/" + "/".join(filter(None, unquote(told.path).split("/")))
        self._connection = connection
        self._listed_at = 0.0

    @cached_property
    def _files(self) -> SSHFileSystem:
        told = self._connection
        to = ensure_allowed(self._host, self._port, [(self._host, self._port)])
        return SSHFileSystem(
            to.address, port=to.port, username=told.user, known_hosts=(_host_keys(told.host_keys), [], []), config=None, agent_path=None,
            client_keys=[_private_key(told)] if told.private_key else None, password=told.secret.reveal() if told.secret else None,
            connect_timeout=DEADLINE_SECONDS, login_timeout=DEADLINE_SECONDS, keepalive_interval=15, skip_instance_cache=True, timeout=2 * DEADLINE_SECONDS,
        )  # fmt: skip

    def _ensure_listed(self) -> None:
        self._files.ls(self._root, detail=False, timeout=DEADLINE_SECONDS)

    def _listed(self) -> Iterator[FoundFile]:
        self._listed_at = time.monotonic()
        yield from self._below("", 0)

    def _below(self, prefix: str, depth: int) -> Iterator[FoundFile]:
        try:
            entries = self._files.ls(self._at(prefix), detail=True, timeout=DEADLINE_SECONDS)
        except (FileNotFoundError, asyncssh.SFTPPermissionDenied):
            if not prefix:
                raise
            return  # gone since it was listed, or not ours to read
        for each in entries:
            leaf = each["name"].rpartition("/")[2]
            if leaf in ("", ".", ".."):
                continue
            if each["type"] == "directory" and depth < MOST_DEPTH:
                yield from self._below(f"{prefix}{leaf}/", depth + 1)
            elif each["type"] == "file":
                yield _found(f"{prefix}{leaf}", each)

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}".rstrip("/") or "/"

    @contextmanager
    def _opened(self, file: FoundFile) -> Iterator[Read]:
        if abs(time.time() - file.changed_at) < YOUNG_SECONDS:
            time.sleep(max(0.0, self._listed_at + TICK_SECONDS - time.monotonic()))
        path = self._at(file.name)
        try:
            self._ensure_same(file)
            with self._files.open(path, "rb") as opened:
                yield lambda most: bytes(opened.read(most, timeout=DEADLINE_SECONDS))
            self._ensure_same(file)
        except FileNotFoundError as error:
            raise ChangedWhileRead(file.name) from error

    def _ensure_same(self, file: FoundFile) -> None:
        if _found(file.name, self._files.info(self._at(file.name), timeout=DEADLINE_SECONDS)) != file:
            raise ChangedWhileRead(file.name)

    def _problem(self, error: Exception, where: str) -> TreatyError:
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            remedy = "Someone may be in between. Ask its owner whether its key is new; then mend `connection: host_keys`."
            return StopError(f"{where}: the server has none of the host keys of the connection.", remedy=remedy)
        if isinstance(error, asyncssh.PermissionDenied | asyncssh.SFTPPermissionDenied):
            error = PermissionError()
        return super()._problem(error, where)

    def _disconnect(self) -> None:
        files = self.__dict__.pop("_files", None)
        if files is not None:
            sync(files.loop, _close, files, timeout=DEADLINE_SECONDS)


async def _close(files: Any) -> None:
    await files._pool.close()
    await files._stack.aclose()


def _found(name: str, facts: Any) -> FoundFile:
    changed_at = facts["mtime"].timestamp() if facts["mtime"] else 0.0
    return FoundFile(name, facts["size"] or 0, changed_at, f"{facts['size']}:{int(changed_at)}")


def _host_keys(texts: tuple[str, ...]) -> list[asyncssh.SSHKey]:
    try:
        return [asyncssh.import_public_key(each) for each in texts]
    except asyncssh.KeyImportError:
        raise StopError("connection.host_keys holds what is no public key.", remedy="Write each like `ssh-ed25519 AAAA…`.") from None


def _private_key(told: FilesConnection) -> asyncssh.SSHKey:
    assert told.private_key is not None, "the caller has looked"
    try:
        return asyncssh.import_private_key(told.private_key.reveal() + "\n", told.passphrase.reveal() if told.passphrase else None)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        raise StopError(
            "connection.private_key is no private key, or its `passphrase` is wrong.", remedy="Name one in OpenSSH's form, file:/… say."
        ) from None
