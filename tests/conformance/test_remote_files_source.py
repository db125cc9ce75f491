"""The conformance suite over the connector `files` where its folder is on a real S3 server and on a real sshd."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.servers import Sshd, new_user, run_s3, run_sshd

from treaty.connectors.files import CONNECTOR, FilesConnection
from treaty.connectors.folders import ChangedWhileRead
from treaty.connectors.interface import Site, Source
from treaty.connectors.secrets import Secret
from treaty.errors import RetryError, StopError
from treaty.project.declarations import Stream, System
from treaty.testing import SourceSubject, SourceSuite
from treaty.testing.sources import SECRET, Reader

DAY_SECONDS = 86_400


@pytest.fixture(autouse=True)
def _installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREATY_EGRESS_PRIVATE", "127.0.0.0/8")
    monkeypatch.setenv("TREATY_TEST_SECRET", SECRET)


class RemoteSubject(SourceSubject):
    """JSON Lines; each `put` is a new file."""

    bad_reasons = frozenset({"bad-json"})

    def __init__(self, root: Path, connection: Mapping[str, Any]) -> None:
        self.root = root
        self.connection = connection
        self.written = 0
        self.stream = Stream(format="jsonl", read={"files": "**/*.jsonl"})

    def open(self, **changed: Any) -> Source:
        assert CONNECTOR.open_source is not None
        return CONNECTOR.open_source(
            System(name="s", connector="files", connection={**self.connection, **changed}, streams={"s": self.stream}), Site(self.root)
        )

    def write(self, name: str, content: bytes) -> None:
        raise NotImplementedError

    def put(self, records: Sequence[Mapping[str, str]]) -> None:
        self.written += 1
        self.write(
            f"day {self.written % 2}/{self.written:04}.jsonl",
            "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in records).encode(),
        )

    def put_bad(self) -> None:
        self.write("bad.jsonl", b'{"id": "before"}\n{"id": bad}\n{"id": "after"}\n')


# ---- S3


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Run the server for all tests of this module."""
    pytest.importorskip("s3fs", reason="treaty[s3] is not installed")
    with run_s3() as address:
        yield address


class S3Subject(RemoteSubject):
    """A bucket of its own."""

    def __init__(self, root: Path, address: str) -> None:
        from s3fs import S3FileSystem

        self.bucket = f"treaty-{root.name.replace('_', '-').lower()[:40]}-{time.monotonic_ns()}"
        super().__init__(
            root, {"folder": f"s3://{self.bucket}/in/erp", "endpoint": address, "user": "key", "secret": "env:TREATY_TEST_SECRET"}
        )
        self.files = S3FileSystem(key="other", secret="other-secret", endpoint_url=address)
        self.files.mkdir(self.bucket)

    def write(self, name: str, content: bytes) -> None:
        self.files.pipe_file(f"{self.bucket}/in/erp/{name}", content)


@pytest.mark.slow
class TestS3(SourceSuite):
    """A prefix of a bucket."""

    @pytest.fixture
    def subject(self, tmp_path: Path, s3: str) -> SourceSubject:
        return S3Subject(tmp_path, s3)


def test_s3_takes_what_is_below_the_prefix_and_large_objects_through_the_spool(tmp_path: Path, s3: str) -> None:
    """Keys beside the prefix are not looked at; an object beyond a part's size arrives whole, in a file; a folder's own key is no file."""
    subject = S3Subject(tmp_path, s3)
    large = b'{"id": "' + b"x" * 1_000 + b'"}\n'
    subject.write("large.jsonl", large * 6_000)
    subject.files.pipe_file(f"{subject.bucket}/in/erp-old/a.jsonl", b'{"id": "beside"}\n')
    subject.files.call_s3("put_object", Bucket=subject.bucket, Key="in/erp/folder.jsonl/", Body=b"")
    (arrival,) = subject.open().read(Reader(subject).request())
    assert ("large.jsonl", len(large) * 6_000) == (arrival.origin, arrival.size_bytes)
    assert isinstance(arrival.content, Path)


def test_s3_reads_an_object_again_only_when_it_has_changed(tmp_path: Path, s3: str) -> None:
    """An unchanged object is not fetched; one that is replaced is, and so is one that is new."""
    subject = S3Subject(tmp_path, s3)
    subject.write("a.jsonl", b'{"id": "1"}\n')
    reader = Reader(subject)
    reader.run()
    reader.known.clear()  # its stamp alone must say so
    assert [] == reader.run()
    subject.write("a.jsonl", b'{"id": "2"}\n')
    subject.write("b.jsonl", b'{"id": "3"}\n')
    reader.run()
    assert ["1", "2", "3"] == reader.ids()


@pytest.mark.parametrize("times", [1, 30_000], ids=["small", "large"])
def test_s3_leaves_an_object_that_changed_since_it_was_listed(tmp_path: Path, s3: str, times: int) -> None:
    """An object that is replaced or gone between the listing and the reading is left for the next run: no mixture of two arrives."""
    from treaty.connectors.remote.s3 import S3Folder

    subject = S3Subject(tmp_path, s3)
    connection = FilesConnection(folder=subject.connection["folder"], endpoint=s3, user="key", secret=Secret("env:TREATY_TEST_SECRET"))
    for after in (b'{"id": "another"}\n', b""):
        subject.write("a.jsonl", b'{"id": "x", "text": "0123456789"}\n' * times)
        with S3Folder(connection) as folder:
            (found,) = folder.find(("*",))
            if after:
                subject.write("a.jsonl", after * times)
            else:
                subject.files.rm(f"{subject.bucket}/in/erp/a.jsonl")
            with pytest.raises(ChangedWhileRead):
                folder.take(found, tmp_path)


def test_s3_asks_for_several_small_objects_at_once(tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are expected come together, in their order, each as it was listed; one that is gone meanwhile costs no other."""
    from treaty.connectors.remote.s3 import AT_ONCE, S3Folder

    subject = S3Subject(tmp_path, s3)
    for number in range(AT_ONCE + 2):
        subject.write(f"{number:02}.jsonl", b'{"id": "%d"}\n' % number)
    connection = FilesConnection(folder=subject.connection["folder"], endpoint=s3, user="key", secret=Secret("env:TREATY_TEST_SECRET"))
    with S3Folder(connection) as folder:
        found = folder.find(("*",))
        subject.files.rm(f"{subject.bucket}/in/erp/03.jsonl")
        folder.expect(found)
        asked, answered, most = 0, 0, 0
        call = folder._files._call_s3

        async def counted(*arguments: Any, **more: Any) -> Any:
            nonlocal asked, answered, most
            asked, most = asked + 1, max(most, asked + 1 - answered)
            try:
                return await call(*arguments, **more)
            finally:
                answered += 1

        monkeypatch.setattr(folder._files, "_call_s3", counted)
        taken = []
        for each in found:
            with contextlib.suppress(ChangedWhileRead):
                taken.append(json.loads(folder.take(each, tmp_path).content)["id"])  # type: ignore[arg-type]
        assert ([str(each) for each in range(AT_ONCE + 2) if each != 3], AT_ONCE + 2, AT_ONCE) == (taken, asked, most)


def test_s3_reaches_no_other_host(tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint on a private network is refused unless the installation lists it, plain http beyond is refused, and every name goes through the gate."""
    subject = S3Subject(tmp_path, s3)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    subject.open().check()
    subject.open(endpoint=s3.replace("127.0.0.1", "localhost")).check()
    with pytest.raises(StopError, match="never connects to"):
        subject.open(endpoint="http://169.254.169.254").check()
    monkeypatch.setenv("TREATY_EGRESS_PRIVATE", "10.0.0.0/8")
    with pytest.raises(StopError, match="private address"):
        subject.open().check()


def test_s3_names_resolve_to_the_judged_address_alone(s3: str) -> None:
    """The HTTP client gets an address for the endpoint's name and for no other: an answer that names another host leads nowhere."""
    import asyncio

    from treaty.connectors.remote.s3 import GatedResolver

    resolver = GatedResolver("localhost", 9000)
    assert ["127.0.0.1"] == [each["host"] for each in asyncio.run(resolver.resolve("localhost", 9000))]
    for host, port in (("bucket.localhost", 9000), ("localhost", 80), ("169.254.169.254", 9000)):
        with pytest.raises(StopError, match="not named by this connection"):
            asyncio.run(resolver.resolve(host, port))


def test_s3_tells_what_is_missing(tmp_path: Path, s3: str) -> None:
    """A bucket that is not there, half a key pair and an address with a password in it are told with what to do."""
    subject = S3Subject(tmp_path, s3)
    with pytest.raises(StopError, match="it is not there"):
        subject.open(folder="s3://no-such-bucket/x").check()
    with pytest.raises(StopError, match="together"):
        subject.open(user=None)
    with pytest.raises(StopError, match="keys go into"):
        subject.open(folder="s3://key:password@bucket/x")
    with pytest.raises(StopError, match="cannot be read"):
        subject.open(folder="gs://bucket/x")


# ---- SFTP


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Run the server for all tests of this module."""
    pytest.importorskip("sshfs", reason="treaty[sftp] is not installed")
    with run_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


class SftpSubject(RemoteSubject):
    """A directory; its files are a day old, so that nothing waits for the clock's next second."""

    def __init__(self, root: Path, server: Sshd) -> None:
        self.folder = root / "drop zone"
        self.folder.mkdir()
        address = f"sftp://localhost:{server.port}{self.folder.as_posix().replace(' ', '%20')}"
        keys = {"host_keys": [server.host_key], "private_key": f"file:{server.private_key}"}
        super().__init__(root, {"folder": address, "user": server.user, **keys})

    def write(self, name: str, content: bytes, age_seconds: int = DAY_SECONDS) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (time.time() - age_seconds,) * 2)


@pytest.mark.slow
class TestSftp(SourceSuite):
    """A directory of a real sshd."""

    @pytest.fixture
    def subject(self, tmp_path: Path, sshd: Sshd) -> SourceSubject:
        return SftpSubject(tmp_path, sshd)


def test_sftp_skips_what_is_unchanged_and_sees_a_change_in_the_same_second(tmp_path: Path, sshd: Sshd) -> None:
    """A file with the size and time of its last arrival is not read again; one that is replaced right after it was read is."""
    subject = SftpSubject(tmp_path, sshd)
    subject.write("a.jsonl", b'{"id": "1"}\n', age_seconds=0)
    reader = Reader(subject)
    reader.run()
    (subject.folder / "a.jsonl").write_bytes(b'{"id": "2"}\n')
    reader.run()
    assert ["1", "2"] == reader.ids()
    times = (subject.folder / "a.jsonl").stat()
    (subject.folder / "a.jsonl").write_bytes(b'{"id": "3"}\n')
    os.utime(subject.folder / "a.jsonl", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert [] == reader.run()


def test_sftp_speaks_only_to_the_server_it_knows(tmp_path: Path, sshd: Sshd) -> None:
    """A server with another host key, one without any named, a wrong user key and a private address are refused, each with what to do."""
    subject = SftpSubject(tmp_path, sshd)
    other = sshd.private_key.with_suffix(".pub").read_text()
    with pytest.raises(StopError, match="none of the host keys"):
        subject.open(host_keys=[other]).check()
    with pytest.raises(StopError, match="ssh-keyscan"):
        subject.open(host_keys=[])
    with pytest.raises(StopError, match="access is denied"):
        subject.open(private_key=f"file:{sshd.private_key.with_name('host')}").check()
    with pytest.raises(StopError, match="it is not there"):
        subject.open(folder=f"sftp://localhost:{sshd.port}/no/such/folder").check()
    with pytest.raises(StopError, match="from 1 to 65535"):
        subject.open(folder="sftp://localhost:99999/x")
    with pytest.raises(StopError, match="no private key"):
        subject.open(private_key="env:TREATY_TEST_SECRET").check()


def test_sftp_follows_no_links_and_waits_for_an_absent_server(tmp_path: Path, sshd: Sshd) -> None:
    """Links are left out; a server that is not there is tried again later."""
    subject = SftpSubject(tmp_path, sshd)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.jsonl").write_text('{"id": "b"}\n')
    (subject.folder / "link.jsonl").symlink_to(tmp_path / "elsewhere" / "b.jsonl")
    (subject.folder / "links").symlink_to(tmp_path / "elsewhere")
    assert [] == list(subject.open().read(Reader(subject).request()))
    with pytest.raises(RetryError, match="cannot be listed"):
        subject.open(folder="sftp://localhost:1/x").check()


@pytest.mark.slow
def test_sftp_takes_a_password(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with a password alone reads what that user may read, and is told what may not be; a wrong one is refused, and told without it."""
    with new_user() as (user, password), tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)  # a user of no rights of ours comes here
        monkeypatch.setenv("TREATY_TEST_PASSWORD", password)
        subject = SftpSubject(Path(root), sshd)
        known = {name: value for name, value in subject.connection.items() if name != "private_key"}
        subject.connection = {**known, "user": user, "secret": "env:TREATY_TEST_PASSWORD"}
        for name in ("a.jsonl", "b closed.jsonl", "c.jsonl"):
            subject.write(name, b'{"id": "1"}\n')
        (subject.folder / "b closed.jsonl").chmod(0o600)
        subject.open().check()
        read: list[str] = []
        with pytest.raises(StopError, match="b closed.jsonl cannot be read: access is denied"):
            read.extend(each.origin for each in subject.open().read(Reader(subject).request()))
        assert ["a.jsonl", "c.jsonl"] == read
        monkeypatch.setenv("TREATY_TEST_PASSWORD", wrong := f"{password}-wrong")
        with pytest.raises(StopError, match="access is denied") as refused:
            subject.open().check()
        assert wrong not in f"{refused.value} {refused.value.remedy}"
