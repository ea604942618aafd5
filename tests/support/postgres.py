"""A real PostgreSQL server in a temporary folder. PostgreSQL does not run as root, so root starts it as nobody."""

import os
import pwd
import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


def programs():
    """Return the folder of PostgreSQL's programs: on the path, or where Debian puts them; ``None`` if there is none."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None


@contextmanager
def server():
    """Start a server, and yield its URL without a database name."""
    # Not in pytest's folder, which only its user can read.
    with TemporaryDirectory(prefix="quoth-postgres-") as folder, _started(Path(folder)) as url:
        yield url


@contextmanager
def _started(folder):
    as_user = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(program, *words):
        command = [programs() / program, *words]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **as_user)
        assert done.returncode == 0, done.stderr.decode()

    run("initdb", "-D", folder / "data", "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    run("pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield f"postgresql://tester@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")


def new_database(url, name):
    """Create an empty database, and return its URL."""
    import psycopg

    with psycopg.connect(f"{url}/postgres", autocommit=True) as base:
        base.execute(f'CREATE DATABASE "{name}"')
    return f"{url}/{name}"
