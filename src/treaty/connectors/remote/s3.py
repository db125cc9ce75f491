"""A prefix of a bucket, on AWS or any server that speaks S3."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from fsspec.asyn import sync
from s3fs import S3FileSystem
from s3fs.utils import FileExpired

from treaty.connectors.egress import ensure_allowed
from treaty.connectors.files import FilesConnection
from treaty.connectors.folders import CHUNK_BYTES, ChangedWhileRead, Copy, FoundFile
from treaty.connectors.remote.folder import DEADLINE_SECONDS, Read, RemoteFolder, port_of
from treaty.connectors.spools import SMALL_BYTES
from treaty.errors import StopError, TreatyError

ATTEMPTS = 4
AT_ONCE = 16  # small objects asked for together: as many MB of memory at the most
CONNECT_SECONDS = 10


class GatedResolver(AbstractResolver):
    """Gives the HTTP client one address for the endpoint, as the egress gate judges it, and none for any other name."""

    def __init__(self, host: str, port: int) -> None:
        self._allowed = [(host, port)]

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Return the judged address. Raises StopError or RetryError."""
        to = ensure_allowed(host, port, self._allowed)
        kind = socket.AF_INET6 if ":" in to.address else socket.AF_INET
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [ResolveResult(hostname=host, host=to.address, port=port, family=kind, proto=0, flags=flags)]

    async def close(self) -> None:
        """Nothing is held."""


class S3Folder(RemoteFolder):
    """Objects below a prefix. The entity tag of an object changes with its bytes, so it is the stamp.

    Buckets are named in the path of the address, so one host is all that is reached; redirects, proxies and credentials of the environment
    or of a cloud's metadata service are not followed or looked for.
    """

    def __init__(self, connection: FilesConnection) -> None:
        told = urlsplit(connection.folder)
        super().__init__(f"s3://{told.netloc}{told.path}")
        if not told.hostname or told.netloc != told.hostname or told.query or told.fragment:
            raise StopError(
                f"{self.shown} is not the address of a prefix.",
                remedy="Write it like s3://bucket/prefix; keys go into `user` and `secret`.",
            )
        if (connection.user is None) != (connection.secret is None):
            raise StopError(
                "connection: S3 needs `user`, the access key's id, and `secret` together.", remedy="Add the other, or leave both out."
            )
        self._root = "/".join((told.netloc, *filter(None, told.path.split("/"))))
        self._bucket, _, self._prefix = self._root.partition("/")
        self._connection = connection
        self._ahead: deque[FoundFile] = deque()
        self._came: dict[FoundFile, bytes | BaseException] = {}
        self._endpoint = connection.endpoint or f"https://s3.{connection.region}.amazonaws.com"

    @cached_property
    def _files(self) -> S3FileSystem:
        told = urlsplit(self._endpoint)
        if told.scheme not in ("https", "http") or not told.hostname or told.username is not None:
            raise StopError("connection.endpoint is not the plain address of a server.", remedy="Write it like https://s3.example.com.")
        port = port_of(told, 443 if told.scheme == "https" else 80)
        to = ensure_allowed(told.hostname, port, [(told.hostname, port)])
        if told.scheme == "http" and not to.private:
            raise StopError("connection.endpoint is http, which anyone on the way can read.", remedy="Write https.")
        secret = self._connection.secret
        return S3FileSystem(
            anon=secret is None,
            key=self._connection.user,
            secret=None if secret is None else secret.reveal(),
            endpoint_url=self._endpoint,
            client_kwargs={"region_name": self._connection.region},
            config_kwargs={
                "proxies": {}, "connector_args": {"resolver": GatedResolver(told.hostname, port)}, "s3": {"addressing_style": "path"},
                "connect_timeout": CONNECT_SECONDS, "read_timeout": DEADLINE_SECONDS, "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS},
            },
            use_listings_cache=False, skip_instance_cache=True, default_block_size=CHUNK_BYTES,
        )  # fmt: skip

    def _ensure_listed(self) -> None:
        self._files.call_s3("list_objects_v2", Bucket=self._bucket, Prefix=f"{self._prefix}/" if self._prefix else "", MaxKeys=1)

    def _listed(self) -> Iterator[FoundFile]:
        for path, facts in self._files.find(self._root, detail=True).items():
            name = path.removeprefix(f"{self._root}/")
            if name != path and not name.endswith("/"):  # such a key stands for a folder
                yield FoundFile(name, facts["size"], facts["LastModified"].timestamp(), _stamp(facts))

    def expect(self, files: Iterable[FoundFile]) -> None:
        """Be told what will be taken: small objects are then asked for several at once, since it is the waiting that takes the time."""
        self._ahead = deque(each for each in files if each.size_bytes <= SMALL_BYTES)

    def take(self, file: FoundFile, spool: Path) -> Copy:
        """Return a private copy. Raises ChangedWhileRead where the object is no longer the one that was found."""
        if file.size_bytes > SMALL_BYTES:
            return super().take(file, spool)
        with self._told(f"{file.name} cannot be read"), _as_listed(file):
            if file not in self._came:
                self._came = self._get_several(file)
            data = self._came.pop(file)
            if isinstance(data, BaseException):
                raise data
            if len(data) != file.size_bytes:
                raise ChangedWhileRead(file.name)
            return Copy(data, hashlib.sha256(data).hexdigest(), len(data), file.stamp)

    def _get_several(self, first: FoundFile) -> dict[FoundFile, bytes | BaseException]:
        """Ask for a small object, and for those that are expected after it: each in one request, with If-Match."""
        wanted = [first]
        while self._ahead and len(wanted) < AT_ONCE:
            if (following := self._ahead.popleft()) != first:
                wanted.append(following)
        files = self._files

        async def get(file: FoundFile) -> bytes:
            key = f"{self._prefix}/{file.name}" if self._prefix else file.name
            tag = file.stamp.rpartition(":")[0]
            answer = await files._call_s3("get_object", Bucket=self._bucket, Key=key, IfMatch=f'"{tag}"')
            body, data = answer["Body"], b""
            try:
                while len(data) <= file.size_bytes and (piece := await body.read(file.size_bytes + 1 - len(data))):
                    data += piece
            finally:
                body.close()
            return data

        async def get_all() -> list[bytes | BaseException]:
            return await asyncio.gather(*map(get, wanted), return_exceptions=True)

        return dict(zip(wanted, sync(files.loop, get_all), strict=True))

    @contextmanager
    def _opened(self, file: FoundFile) -> Iterator[Read]:
        """Ask for the object as it was listed, in parts, each with If-Match."""
        with _as_listed(file), self._files.open(f"{self._root}/{file.name}", "rb") as opened:
            if _stamp(opened.details) != file.stamp:
                raise ChangedWhileRead(file.name)
            yield opened.read

    def _problem(self, error: Exception, where: str) -> TreatyError:
        said = str(error)
        if isinstance(error, PermissionError):
            return StopError(f"{where}: access is denied ({said[:200]}).", remedy="Mend `user` and `secret`, or the rights of the key.")
        return super()._problem(error, where)

    def _disconnect(self) -> None:
        files = self.__dict__.pop("_files", None)
        made: Any = getattr(files, "_s3creator", None)
        if files is not None and made is not None:
            sync(files.loop, made.__aexit__, None, None, None, timeout=CONNECT_SECONDS)


@contextmanager
def _as_listed(file: FoundFile) -> Iterator[None]:
    """Raise ChangedWhileRead for what S3 says where an object is another than the one that was listed, or gone."""
    try:
        yield
    except (FileNotFoundError, FileExpired) as error:
        raise ChangedWhileRead(file.name) from error
    except OSError as error:
        if error.errno == errno.EINVAL and "pre-condition" in str(error):
            raise ChangedWhileRead(file.name) from error
        raise


def _stamp(facts: Any) -> str:
    return f"{facts['ETag'].strip(chr(34))}:{facts['size']}"
