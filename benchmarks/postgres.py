"""A PostgreSQL of the benchmark's own, with its usual durability: a commit is on disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import PostgresServer


def installed() -> bool:
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return any(debian) or shutil.which("initdb") is not None


class DurablePostgres(PostgresServer):
    """The tests' server without their haste."""

    def version(self) -> str:
        told = subprocess.run(
            [str(self._binaries / "postgres"), "--version"],
            capture_output=True,
            text=True,
            check=True,
        )
        # `postgres (PostgreSQL) 15.8 (Debian ...)`
        return f"PostgreSQL {told.stdout.split()[2]}"

    def start(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.directory),
            "timezone": "UTC",
            "fsync": "on",
            "synchronous_commit": "on",
        }
        program = str(self._binaries / "postgres")
        options = [f"--{name}={value}" for name, value in settings.items()]
        self._process.launch(
            [program, "-D", str(self.directory / "data"), "-p", str(self.port), *options],
            self._environment,
            self._answers,
            directory=self.directory,
            user=self._user,
        )


@contextmanager
def durable_postgres() -> Iterator[DurablePostgres]:
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    directory = Path(tempfile.mkdtemp(prefix="paychime-bench-"))
    try:
        if user is not None:
            shutil.chown(directory, user, user)
        server = DurablePostgres(directory, user)
        try:
            server.start()
            yield server
        finally:
            server.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
