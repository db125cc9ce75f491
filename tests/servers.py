"""Servers of files that tests start for themselves: S3 by moto, SFTP by the system's OpenSSH."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

S3_SERVER = """
from moto.server import ThreadedMotoServer
import signal
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
signal.pause()
"""
SSHD = next((each for each in ("/usr/sbin/sshd", shutil.which("sshd") or "") if Path(each).is_file()), None)
PATIENCE_SECONDS = 10


@contextmanager
def run_s3() -> Iterator[str]:
    """Yield the address of an S3 server in its own process; it takes any key."""
    pytest.importorskip("moto.server", reason="moto is not installed")
    with subprocess.Popen([sys.executable, "-c", S3_SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@dataclass(frozen=True, slots=True)
class Sshd:
    """A running sshd that serves SFTP alone: its port, its public host key, who may sign in, and the file of that user's private key."""

    port: int
    host_key: str
    user: str
    private_key: Path


@contextmanager
def run_sshd(folder: Path) -> Iterator[Sshd]:
    """Yield an sshd with keys of its own in ``folder``; skips where OpenSSH's server or its port is not to be had."""
    if SSHD is None:
        pytest.skip("there is no sshd here: apt-get install openssh-server")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / name)], check=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = [
        f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder / 'host'}", f"AuthorizedKeysFile {folder / 'user.pub'}", "PidFile none",
        "PasswordAuthentication yes", "KbdInteractiveAuthentication no", "PermitRootLogin yes", "StrictModes no", "UsePAM no", "MaxStartups 100",
        "Subsystem sftp internal-sftp", "ForceCommand internal-sftp",
    ]  # fmt: skip
    (folder / "sshd_config").write_text("\n".join(settings) + "\n")
    with (folder / "log").open("w") as log, subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log) as process:
        try:
            _await(port, process, folder / "log")
            yield Sshd(port, (folder / "host.pub").read_text().strip(), getpass.getuser(), folder / "user")
        finally:
            process.terminate()


@contextmanager
def new_user() -> Iterator[tuple[str, str]]:
    """Yield the name and password of a user of this machine, made for one test; skips where there may be none."""
    if os.geteuid() != 0 or shutil.which("useradd") is None or shutil.which("chpasswd") is None:
        pytest.skip("only root can make a user who has a password")
    name, password = f"treaty-test-{os.getpid()}", secrets.token_urlsafe(16)
    subprocess.run(["useradd", "--no-create-home", "--home-dir", "/", "--shell", "/bin/sh", name], check=True)
    try:
        subprocess.run(["chpasswd"], input=f"{name}:{password}\n", text=True, check=True)
        yield name, password
    finally:
        subprocess.run(["userdel", name], check=True, capture_output=True)


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.skip(f"sshd does not start here: {log.read_text()[-300:]}")
