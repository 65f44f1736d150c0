"""What `deploy/` brings is whole: it is run where that can be done here, and read where not."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from payments import workers
from payments.serving.limits import MAX_FILES
from payments.settings import load
from tests import nginx
from tests.outside import ON_SQLITE
from tests.servers import REPOSITORY, free_port
from tests.test_docs import settings_read

DEPLOY = REPOSITORY / "deploy"
UNITS = DEPLOY / "systemd"
CODE = "/opt/paychime"
RELEASE = f"{CODE}/current"
OURS = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PATH", "PAYCHIME_WORKERS"}
"""Names that are set there and are no settings of Paychime's."""


def text(path: str) -> str:
    return (DEPLOY / path).read_text()


def assigned(path: str) -> dict[str, str]:
    lines = (line for line in text(path).splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


# ---- The proxy ----


def test_nginx_takes_the_configuration_with_a_certificate(tmp_path: Path) -> None:
    made = nginx.Nginx(tmp_path, free_port(), free_port(), [5000, 5001])
    checked = subprocess.run([*made.command, "-t"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr


# ---- The units ----


def unit(name: str) -> configparser.RawConfigParser:
    class Several(dict[str, str]):
        """A key that stands there twice has both values."""

        def __setitem__(self, key: str, value: Any) -> None:
            if isinstance(value, list) and key in self:
                value = [*self[key], *value]
            super().__setitem__(key, value)

    found = configparser.RawConfigParser(dict_type=Several, strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read(UNITS / name)
    return found


def unit_files() -> list[Path]:
    return sorted(UNITS.glob("paychime*.*er")) + sorted(UNITS.glob("paychime*.service"))


def commands() -> Iterator[list[str]]:
    for file in UNITS.glob("*.service"):
        for key in ("ExecStart", "ExecReload"):
            if unit(file.name).has_option("Service", key):
                yield unit(file.name).get("Service", key).split()


@ON_SQLITE
def test_what_the_units_start_is_there(app: Flask) -> None:
    for program, *arguments in commands():
        place = program.removeprefix(f"{RELEASE}/")
        if place == ".venv/bin/flask":
            assert arguments[:2] == ["--app", "app"]
            group = app.cli.commands[arguments[2]]
            assert arguments[3] in getattr(group, "commands")  # noqa: B009 (a group's)
        elif place == ".venv/bin/python":
            assert (REPOSITORY / arguments[0].removeprefix(f"{RELEASE}/")).is_file()
        elif program.startswith(CODE):
            assert os.access(REPOSITORY / place, os.X_OK)
        else:
            assert shutil.which(program), program


def test_the_server_is_ended_as_it_wants_to_be() -> None:
    one = unit("paychime.service")["Service"]
    assert one["KillSignal"] == "SIGTERM"
    assert one["KillMode"] == "mixed", "the first process drains the others"
    assert int(one["TimeoutStopSec"]) > workers.DRAIN_SECONDS
    assert int(one["LimitNOFILE"]) >= MAX_FILES
    assert one["EnvironmentFile"] == "/etc/paychime/paychime.env"


def test_the_nightly_ones_are_bound_like_the_server() -> None:
    server = dict(unit("paychime.service")["Service"])
    common = dict(unit("paychime-.service.d/common.conf")["Service"])
    assert server["EnvironmentFile"] == common["EnvironmentFile"]
    bounds = {name for name in common if name.startswith(("Protect", "Private", "Restrict"))}
    bounds |= {"NoNewPrivileges", "MemoryDenyWriteExecute", "SystemCallFilter", "User", "UMask"}
    assert len(bounds) > 15
    assert {name: common[name] for name in bounds} == {name: server[name] for name in bounds}


@ON_SQLITE
def test_a_backup_is_made_and_old_ones_go(database_url: str, tmp_path: Path) -> None:
    (command,) = (line for line in commands() if line[0].endswith("/deploy/backup"))
    folder = tmp_path / "backups"
    folder.mkdir()
    old = folder / "paychime-20200101T000000Z.backup"
    for one in (old, folder / f"{old.name}.json", folder / "another.backup"):
        one.write_text("old")
        os.utime(one, (0, 0))
    about = {"DATABASE_URL": database_url, "INSTANCE_PATH": str(tmp_path), "APP_ENV": "test"}
    program = [str(REPOSITORY / command[0].removeprefix(f"{RELEASE}/")), str(folder)]
    done = subprocess.run(
        program, cwd=REPOSITORY, env={**os.environ, **about}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    names = {one.name for one in folder.iterdir()} - {"another.backup"}
    assert len(names) == 2
    assert all(re.fullmatch(r"paychime-2\d{7}T\d{6}Z\.backup(\.json)?", one) for one in names)
    assert old.name not in names


@pytest.fixture
def rooted_units(tmp_path: Path) -> Path:
    """The units with their programs where they are here."""
    folder = tmp_path / "units"
    shutil.copytree(UNITS, folder)
    for file in folder.rglob("*"):
        if file.is_file():
            file.write_text(file.read_text().replace(RELEASE, str(REPOSITORY)))
    return folder


ANALYZE = shutil.which("systemd-analyze")


@pytest.mark.skipif(ANALYZE is None, reason="systemd is not here")
def test_systemd_understands_the_units(rooted_units: Path) -> None:
    assert ANALYZE is not None
    files = [str(rooted_units / file.name) for file in unit_files()]
    assert len(files) == 6
    checked = subprocess.run(
        [ANALYZE, "verify", "--man=no", *files], capture_output=True, text=True
    )
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.skipif(ANALYZE is None, reason="systemd is not here")
@pytest.mark.parametrize("name", [file.name for file in sorted(UNITS.glob("*.service"))])
def test_a_unit_can_do_little_but_its_work(rooted_units: Path, name: str) -> None:
    assert ANALYZE is not None
    command = [ANALYZE, "security", "--offline=yes", "--threshold=20", str(rooted_units / name)]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout.splitlines()[-1]


# ---- Settings and logs ----


@pytest.mark.parametrize("example", ["paychime.env.example", "compose/paychime.env.example"])
def test_an_example_names_settings_alone_and_starts_once_it_is_filled_in(
    example: str, tmp_path: Path
) -> None:
    values = assigned(example)
    assert set(values) <= settings_read()
    filled = {"SECRET_KEY": "at least sixteen characters", "APP_ENV": "production"}
    settings = load({**values, **filled, "INSTANCE_PATH": str(tmp_path)})
    assert settings.production
    assert settings.secure_cookies
    assert settings.rails.momo is None


def test_the_units_set_nothing_unknown() -> None:
    for file in UNITS.rglob("*.*"):
        if file.is_file():
            for line in re.findall(r"^Environment=(.+)", file.read_text(), re.MULTILINE):
                assert {pair.split("=")[0] for pair in line.split()} <= settings_read() | OURS


def test_the_log_that_is_turned_over_is_the_one_that_is_written() -> None:
    (pattern,) = re.findall(r"^(/\S+) \{", text("logrotate/paychime"), re.MULTILINE)
    written = re.findall(r"append:(\S+)", text("logrotate/log-to-file.conf"))
    assert len(written) == 2
    assert all(fnmatch(path, pattern) for path in written)
    # It is kept open and appended to: a new file under its name would stay empty.
    assert "copytruncate" in text("logrotate/paychime").split()


@pytest.mark.skipif(shutil.which("logrotate") is None, reason="logrotate is not here")
def test_logrotate_turns_it_over(tmp_path: Path) -> None:
    log = tmp_path / "paychime.log"
    log.write_text("one line\n" * 1000)
    changes = {"/var/log/paychime/*.log": f"{tmp_path}/*.log", "    su paychime paychime\n": ""}
    (tmp_path / "conf").write_text(nginx.replaced(text("logrotate/paychime"), changes))
    program = nginx.program("logrotate")
    command = [program, "--force", "--state", str(tmp_path / "state"), str(tmp_path / "conf")]
    with log.open("a") as kept_open:
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        kept_open.write("after it\n")
    assert log.read_text() == "after it\n"
    assert (tmp_path / "paychime.log.1").stat().st_size == 9000
