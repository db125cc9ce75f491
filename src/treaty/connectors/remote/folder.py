"""A folder that is elsewhere: what is listed there, and each file as one consistent private copy."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from urllib.parse import SplitResult

from treaty.connectors.folders import CHUNK_BYTES, ChangedWhileRead, Copy, FoundFile, name_filter
from treaty.connectors.spools import Spool
from treaty.errors import RetryError, StopError, TreatyError

Read = Callable[[int], bytes]  # the next bytes of an open file, at most so many; none at its end
DEADLINE_SECONDS = 60  # for one answer of the server


class RemoteFolder(ABC):
    """One folder on one server. The first use connects, leaving the ``with`` block disconnects.

    A stamp that a subclass gives is the same only where the bytes are.
    """

    def __init__(self, shown: str) -> None:
        self.shown = shown  # the address without secrets

    def __enter__(self) -> RemoteFolder:
        """Connect later, when something is asked for."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Disconnect."""
        self._disconnect()

    def ensure_there(self) -> None:
        """Raise StopError where the folder is not there or may not be listed, RetryError where the server does not answer."""
        with self._told("cannot be listed"):
            self._ensure_listed()

    def find(self, patterns: tuple[str, ...]) -> list[FoundFile]:
        """Return the files that match, in the order of their names. Links and unfinished files are left out."""
        wanted = name_filter(patterns)
        with self._told("cannot be listed"):
            found = [each for each in self._listed() if wanted(each.name)]
        return sorted(found, key=lambda each: each.name)

    def expect(self, files: Iterable[FoundFile]) -> None:  # noqa: B027  most servers are asked for one after the other
        """Be told which files will be taken, in this order."""

    def holds(self, file: FoundFile, sha256: str) -> bool:
        """Tell nothing: to see whether a file has bytes of this hash it must come here, and then it is here."""
        return False

    def take(self, file: FoundFile, spool: Path) -> Copy:
        """Return a private copy, hashed while it came. Raises ChangedWhileRead where it is no longer the file that was found."""
        with self._told(f"{file.name} cannot be read"), self._opened(file) as read:
            return _copy(read, file, spool)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn what the library raises into an error of Treaty's."""
        try:
            yield
        except (TreatyError, ChangedWhileRead):
            raise
        except Exception as error:  # the libraries raise of their own, of asyncio's and of each other's
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # our own disk
                raise
            raise _own(error) or self._problem(error, f"{self.shown}: {what}") from error

    def _problem(self, error: Exception, where: str) -> TreatyError:
        """Return what an error of the library means."""
        if isinstance(error, FileNotFoundError):
            return StopError(f"{where}: it is not there.", remedy="Create it, or mend `connection: folder`.")
        if isinstance(error, PermissionError):
            return StopError(
                f"{where}: access is denied.", remedy="Mend `user` and the secrets of the connection, or the rights of its account."
            )
        return RetryError(f"{where} ({type(error).__name__}).", remedy="Check the server and the network; the next run tries again.")

    @abstractmethod
    def _ensure_listed(self) -> None: ...

    @abstractmethod
    def _listed(self) -> Iterable[FoundFile]: ...

    @abstractmethod
    def _opened(self, file: FoundFile) -> AbstractContextManager[Read]:
        """Open a file as it was found; raise ChangedWhileRead, at the latest when it is closed, where it is another or gone."""

    @abstractmethod
    def _disconnect(self) -> None: ...


def port_of(told: SplitResult, default: int) -> int:
    """Return the port of an address. Raises StopError for what is no port."""
    try:
        return told.port or default
    except ValueError as error:
        raise StopError(f"{told.scheme}://{told.hostname}: {error}.", remedy="Write a port from 1 to 65535.") from None


def _own(error: BaseException) -> TreatyError | None:
    """Return the error of Treaty's that a library has wrapped: the egress gate speaks from within it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, TreatyError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _copy(read: Read, file: FoundFile, folder: Path) -> Copy:
    """Take exactly the bytes that were listed: one more or one less is another file."""
    spool = Spool(folder)
    spool.fill(_pieces(read, file))
    return Copy(spool.content(), spool.sha256(), spool.size_bytes, file.stamp)


def _pieces(read: Read, file: FoundFile) -> Iterator[bytes]:
    left = file.size_bytes
    while piece := read(min(CHUNK_BYTES, left + 1)):
        left -= len(piece)
        if left < 0:
            break
        yield piece
    if left:
        raise ChangedWhileRead(file.name)
