"""PostgreSQL, Redis and the application itself as servers of the tests' own, on free ports."""

import http.client
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg2
import redis
from psycopg2.extensions import cursor
from redis.backoff import NoBackoff
from redis.retry import Retry

REPOSITORY = Path(__file__).resolve().parent.parent
START_SECONDS = 30.0
STOP_SECONDS = 15.0


class ServerFailed(AssertionError):
    """A server is missing, did not start, or did not stop; the message holds what it said."""


_handed_out: set[int] = set()


def free_port() -> int:
    """A port that nobody has, and that no outgoing connection takes while its server is down."""
    for _ in range(200):
        port = random.randrange(20_000, 32_000)  # below the kernel's own choice for clients
        if port in _handed_out:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _handed_out.add(port)
            return port
    raise ServerFailed("no free port between 20000 and 32000")


class Process:
    """One program with a log file: started, paused, stopped and killed by name."""

    def __init__(self, name: str, log_file: Path) -> None:
        self.name = name
        self.log_file = log_file
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        return self._started().pid

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def launch(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        ready: Callable[[], bool],
        *,
        directory: Path,
        user: str | None = None,
    ) -> None:
        """Return once `ready()`; fail with the log when that never comes."""
        if self.running:
            raise ServerFailed(f"{self.name} is running already")
        with self.log_file.open("ab") as log:
            # A session of its own: Ctrl-C reaches the tests, which then stop their servers.
            self._child = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )
        deadline = time.monotonic() + START_SECONDS
        try:
            while not ready():
                code = self._child.poll()
                if code is not None:
                    raise ServerFailed(f"{self.name} ended with {code}:\n{self.log()}")
                if time.monotonic() > deadline:
                    raise ServerFailed(f"{self.name} is not ready:\n{self.log()}")
                time.sleep(0.02)
        except BaseException:
            self.kill()
            raise

    def pause(self) -> None:
        """Hang, as a machine that no longer answers."""
        self._started().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._started().send_signal(signal.SIGCONT)

    def end(self, how: signal.Signals) -> int:
        """Ask it to end and return its exit code; one that stays is killed and reported."""
        child = self._started()
        try:
            child.send_signal(signal.SIGCONT)  # a paused one would not hear it
            child.send_signal(how)
            return child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise ServerFailed(f"{self.name} stayed after {how.name}:\n{self.log()}") from None
        finally:
            self.kill()

    def demand_running(self) -> None:
        """Raises ServerFailed with its log where it has ended by itself."""
        code = None if self._child is None else self._child.poll()
        if code is not None:
            self._child = None
            raise ServerFailed(f"{self.name} ended with {code}:\n{self.log()}")

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise ServerFailed(f"{self.name} is not running")
        return self._child


def _plain_environment() -> dict[str, str]:
    """Nothing of the developer's own settings reaches a server."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ}


@contextmanager
def _directory(owner: str | None = None) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="paychime-"))
    try:
        if owner is not None:
            shutil.chown(directory, owner, owner)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _missing(program: str) -> ServerFailed:
    return ServerFailed(f"{program} is missing: `make test` installs it, or says how to get it")


def _postgres_binaries() -> Path:
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(debian, key=lambda path: float(path.parts[-3]), default=None)
    found = newest or shutil.which("initdb")
    if found is None:
        raise _missing("PostgreSQL's initdb")
    return Path(found).resolve().parent


class PostgresServer:
    """A cluster of the test's own. Speed before safety: it survives a restart, not a power cut."""

    def __init__(self, directory: Path, user: str | None) -> None:
        self.port = free_port()
        self._binaries = _postgres_binaries()
        self.directory = directory
        self._user = user
        self._process = Process("PostgreSQL", directory / "postgres.log")
        self._paused: list[int] = []
        self._environment = _plain_environment() | {"LC_ALL": "C"}
        self._init()

    @property
    def pid(self) -> int:
        """The postmaster: stopping it alone hangs new connections, `pause` hangs all."""
        return self._process.pid

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def log(self) -> str:
        return self._process.log()

    def start(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.directory),
            "max_connections": "300",
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
            "timezone": "UTC",
        }
        self._process.launch(
            [
                str(self._binaries / "postgres"),
                "-D",
                str(self.directory / "data"),
                "-p",
                str(self.port),
                *(f"--{name}={value}" for name, value in settings.items()),
            ],
            self._environment,
            self._answers,
            directory=self.directory,
            user=self._user,
        )

    def stop(self) -> None:
        """At once: open connections are cut, and nothing is lost."""
        self.resume()
        self._process.end(signal.SIGINT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """Hang every connection, open and new."""
        with self._administrator() as admin:
            self._process.pause()  # first, so that no backend is born unseen
            admin.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            self._paused = [pid for (pid,) in admin.fetchall()]
        self._signal_paused(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_paused(signal.SIGCONT)
        self._paused = []
        self._process.resume()

    def create_database(self, template: str | None = None) -> str:
        """The URL of a new database: empty, or a copy of the one at the URL `template`."""
        name = f"test_{uuid4().hex}"
        source = urlsplit(template).path.removeprefix("/") if template else "template1"
        with self._administrator() as admin:
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Whoever is still connected to it is cut off."""
        name = urlsplit(url).path.removeprefix("/")
        with self._administrator() as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def close(self) -> None:
        """Stop for good, from whatever state."""
        if not self._process.running:
            return
        with suppress(ServerFailed):
            self.stop()

    def _init(self) -> None:
        made = subprocess.run(
            [
                str(self._binaries / "initdb"),
                f"--pgdata={self.directory / 'data'}",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
            env=self._environment,
            cwd=self.directory,
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise ServerFailed(f"initdb failed:\n{made.stdout}{made.stderr}")

    def _answers(self) -> bool:
        try:
            with self._administrator() as admin:
                admin.execute("SHOW data_directory")  # another's server on our port is not ours
                return admin.fetchone() == (str(self.directory / "data"),)
        except psycopg2.OperationalError:
            return False

    @contextmanager
    def _administrator(self) -> Iterator[cursor]:
        connection = psycopg2.connect(self.url("postgres"), connect_timeout=10)
        try:
            connection.autocommit = True  # databases are made and dropped outside a transaction
            with connection.cursor() as opened:
                yield opened
        finally:
            connection.close()

    def _signal_paused(self, what: signal.Signals) -> None:
        for pid in self._paused:
            with suppress(ProcessLookupError):
                os.kill(pid, what)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    _postgres_binaries()  # they bring that user
    with _directory(user) as directory:
        server = PostgresServer(directory, user)
        try:
            server.start()
            yield server
        finally:
            server.close()


class RedisServer:
    """A Redis that keeps nothing: each start is empty."""

    def __init__(self, directory: Path) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise _missing("redis-server")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._program = program
        self.directory = directory
        self._process = Process("Redis", directory / "redis.log")

    @property
    def pid(self) -> int:
        return self._process.pid

    def log(self) -> str:
        return self._process.log()

    def start(self) -> None:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.directory),
            "save": "",
            "appendonly": "no",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        self._process.launch(
            [self._program, *options],
            _plain_environment(),
            self._answers,
            directory=self.directory,
        )

    def stop(self) -> None:
        self._process.end(signal.SIGTERM)

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        self._process.pause()

    def resume(self) -> None:
        self._process.resume()

    def flush(self) -> None:
        with self._client() as client:
            client.flushall()

    def close(self) -> None:
        self._process.kill()

    def _answers(self) -> bool:
        try:
            with self._client() as client:  # another's server on our port is not ours
                return bool(client.info("server")["process_id"] == self.pid)
        except redis.RedisError:
            return False

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=5, retry=Retry(NoBackoff(), 0))


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    with _directory() as directory:
        server = RedisServer(directory)
        try:
            server.start()
            yield server
        finally:
            server.close()


_PREPARED = dict[bool, bytes]()
"""The file of a server's database before its first start, without the demo shop and with it."""


class AppServer:
    """The application as its users run it: `python wsgi.py`, with the settings given and no others.

    Without a DATABASE_URL it gets an SQLite file of its own. Every start is on the same port.
    `demo`: with the demo shop in its database.
    """

    def __init__(
        self, settings: Mapping[str, str], *, migrate: bool = True, demo: bool = False
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._migrate = migrate
        self._demo = demo
        self._directory = Path(tempfile.mkdtemp(prefix="paychime-app-"))
        self._process = Process("wsgi.py", self._directory / "app.log")
        self._environment = {
            **_plain_environment(),
            "APP_ENV": "test",
            "SECRET_KEY": "only-for-the-tests-of-one-server",
            "DATABASE_URL": f"sqlite:///{self._directory / 'app.sqlite3'}",
            "INSTANCE_PATH": str(self._directory),
            "PYTHONUNBUFFERED": "1",
            "PYTHONFAULTHANDLER": "1",
            **settings,
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
        }

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.running

    def log(self) -> str:
        return self._process.log()

    def change(self, **settings: str) -> None:
        """What it is given from its next start on."""
        self._environment |= settings

    def start(self, *program: str) -> None:
        """Starts `wsgi.py`, or the Python program named: one that starts it with a fault in it."""
        if self._migrate:
            self._prepare()
            self._migrate = False
        self._process.launch(
            [sys.executable, *(program or ("wsgi.py",))],
            self._environment,
            self._answers,
            directory=REPOSITORY,
        )

    def _prepare(self) -> None:
        """Its tables, and what stands in them; a file of its own is a copy of the first one's."""
        own = self._directory / "app.sqlite3"
        is_own = self._environment["DATABASE_URL"] == f"sqlite:///{own}"
        if is_own and self._demo in _PREPARED:
            own.write_bytes(_PREPARED[self._demo])
            return
        self.flask(*(("demo", "--upgrade") if self._demo else ("db", "upgrade")))
        if is_own:
            _PREPARED[self._demo] = own.read_bytes()

    def flask(self, *arguments: str) -> str:
        """Run `flask --app app ...` with this server's settings and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "app", *arguments],
            env=self._environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            command = " ".join(arguments)
            raise ServerFailed(f"flask {command} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def terminate(self) -> int:
        """SIGTERM, and the exit code."""
        return self._process.end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: nothing is said goodbye to."""
        self._process.kill()

    def pause(self) -> None:
        self._process.pause()

    def resume(self) -> None:
        self._process.resume()

    def close(self) -> None:
        try:
            self._process.demand_running()
        finally:
            self._process.kill()
            shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
