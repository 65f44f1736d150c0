"""The image and the containers: their steps are done here one by one, for want of an engine."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from payments import workers
from tests import nginx
from tests.servers import REPOSITORY, PostgresServer, Process, free_port, redis_server
from tests.test_deploy import DEPLOY, OURS, assigned, text
from tests.test_docs import settings_read

# ---- The image ----


class Step(NamedTuple):
    word: str
    rest: str


def steps() -> list[Step]:
    """The instructions of the Dockerfile, each on one line, without its comments."""
    plain = re.sub(r"^#.*\n", "", text("Dockerfile"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", plain).splitlines()
    return [Step(*line.split(" ", 1)) for line in lines if line]


def of(word: str) -> list[str]:
    return [step.rest for step in steps() if step.word == word]


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in of("ENV") for pair in shlex.split(line))


def is_ignored(path: str) -> bool:
    """By the last line that fits it or a folder around it, as Docker does."""
    ignored = False
    around = [path, *(str(folder) for folder in Path(path).parents)]
    for line in text("Dockerfile.dockerignore").splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        names = {Path(one).name for one in around} if line.startswith("**/") else set(around)
        if line and not line.startswith("#") and any(fnmatch(name, pattern) for name in names):
            ignored = not line.startswith("!")
    return ignored


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the code, as the steps of the Dockerfile make it, but for the packages."""
    folder = tmp_path_factory.mktemp("image")
    for line in of("COPY"):
        *sources, target = (word for word in line.split() if not word.startswith("--"))
        for source in sources:
            if source.startswith("/") or target.startswith("/"):
                continue  # packages and their list: another stage's
            for file in sorted([REPOSITORY / source, *(REPOSITORY / source).rglob("*")]):
                name = file.relative_to(REPOSITORY)
                if file.is_file() and not is_ignored(str(name)):
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, folder / name)
    (compiling,) = (line for line in of("RUN") if line.startswith("python -m compileall"))
    command = [sys.executable, *shlex.split(compiling)[1:]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return folder


def test_the_image_is_of_a_tag_and_runs_as_nobody_in_particular() -> None:
    assert {line.split()[0] for line in of("FROM")} == {"python:3.11-slim"}
    user, group = of("USER")[-1].split(":")
    assert int(user) > 0
    assert int(group) > 0
    order = [step.word for step in steps()]
    assert order.index("USER") > max(place for place, word in enumerate(order) if word == "RUN")


def test_the_image_takes_every_package_by_its_hash() -> None:
    (installing,) = (line for line in of("RUN") if "pip install" in line)
    assert "--require-hashes" in installing.split()
    assert "-r /tmp/requirements.txt" in installing
    assert "requirements.txt /tmp/requirements.txt" in of("COPY")
    pinned = re.findall(r"^(?!\s|#)\S+==\S+", (REPOSITORY / "requirements.txt").read_text(), re.M)
    hashes = re.findall(
        r"--hash=sha256:[0-9a-f]{64}", (REPOSITORY / "requirements.txt").read_text()
    )
    assert len(hashes) >= len(pinned) > 20


def test_nothing_that_was_made_here_goes_into_the_image(image: Path) -> None:
    assert {path.name for path in image.iterdir() if path.name != "__pycache__"} == {
        *("app.py", "wsgi.py"),
        *("payments", "sandbox", "static", "templates"),
    }
    assert is_ignored("instance/secret_key")
    assert is_ignored("payments/__pycache__/cli.pyc")
    assert is_ignored("deploy/compose/paychime.env")
    assert not is_ignored("payments/cli.py")
    assert set(image_environment()) <= settings_read() | OURS


# ---- The containers ----


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    whole: dict[str, Any] = yaml.safe_load(text("compose/compose.yaml"))
    return whole


@pytest.fixture(scope="module")
def services(composed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = composed["services"]
    return found


def apps(services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in services.items() if name.startswith("app-")}


def test_two_instances_stand_behind_nginx_and_nothing_else_is_open(
    composed: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    listed = set(re.findall(r"server (\S+):5000", text("compose/paychime-upstream.conf")))
    assert listed == set(apps(services)) == {"app-1", "app-2"}
    assert {name for name, one in services.items() if "ports" in one} == {"nginx"}
    assert composed["networks"]["inside"]["internal"] is True
    for name in ("postgres", "redis"):
        assert services[name]["networks"] == ["inside"]
    addresses = [one["networks"]["inside"]["ipv4_address"] for one in apps(services).values()]
    assert len(set(addresses)) == 2


def test_who_waits_for_another_can_tell_when_it_is_ready(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, one in services.items():
        for needed, how in one.get("depends_on", {}).items():
            assert needed in services, name
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[needed] or needed in apps(services), needed
    for one in apps(services).values():
        assert one["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert int(one["stop_grace_period"].removesuffix("s")) > workers.DRAIN_SECONDS
    assert of("HEALTHCHECK")


def test_what_the_containers_mount_is_there_or_has_an_example(
    services: dict[str, dict[str, Any]],
) -> None:
    for one in services.values():
        for volume in one.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith(".") and source != "./tls":
                assert (DEPLOY / "compose" / source).resolve().is_file(), source
    assert {one["env_file"] for one in apps(services).values()} == {"paychime.env"}
    assert (DEPLOY / "compose" / "paychime.env.example").is_file()


def test_no_secret_has_a_value_in_the_repository(services: dict[str, dict[str, Any]]) -> None:
    for one in services.values():
        for name, value in one.get("environment", {}).items():
            assert "PASSWORD" not in f"{name}{value}" or "${POSTGRES_PASSWORD:?" in value, name
    for example in ("paychime.env.example", "compose/paychime.env.example"):
        for name, value in assigned(example).items():
            assert not value or not name.endswith(("_KEY", "_SECRET", "_TOKEN")), name


def test_an_image_migrates_serves_and_says_whether_it_is_healthy(
    image: Path, services: dict[str, dict[str, Any]], postgres: PostgresServer, tmp_path: Path
) -> None:
    """The commands and settings of the containers, with the servers' addresses here."""
    port, database = free_port(), postgres.create_database()
    with redis_server() as redis:
        here = {"DATABASE_URL": database, "REDIS_URL": redis.url, "HOST": "127.0.0.1"}
        environment = {
            **{name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ},
            **image_environment(),
            **assigned("compose/paychime.env.example"),
            **services["app-1"]["environment"],
            **here,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "SECRET_KEY": "a secret of the tests of the image",
            "INSTANCE_PATH": str(tmp_path),
            "PORT": str(port),
        }
        assert services["migrate"]["command"][0] == "flask"
        migrated = subprocess.run(
            services["migrate"]["command"],
            cwd=image,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert migrated.returncode == 0, migrated.stderr
        (command,) = (yaml.safe_load(line) for line in of("CMD"))
        checking = yaml.safe_load(of("HEALTHCHECK")[0].split("CMD ", 1)[1])

        def healthy() -> bool:
            asked = subprocess.run(checking, cwd=image, env=environment, capture_output=True)
            return asked.returncode == 0

        assert not healthy()
        process = Process("the image", tmp_path / "image.log")
        try:
            process.launch(command, environment, healthy, directory=image)
            postgres.drop_database(database)
            assert not healthy()
        finally:
            process.kill()


def test_nginx_takes_the_configuration_of_the_containers(tmp_path: Path) -> None:
    made = nginx.Nginx(tmp_path, free_port(), free_port(), [5000, 5001])
    names = {f"app-{number}:5000": f"127.0.0.{number}:5000" for number in (1, 2)}
    upstream = nginx.replaced(text("compose/paychime-upstream.conf"), names)
    (tmp_path / "conf.d" / "paychime-upstream.conf").write_text(upstream)
    inside = {
        "user nginx;": "",
        "/run/nginx.pid": f"{tmp_path}/nginx.pid",
        "/etc/nginx/conf.d": f"{tmp_path}/conf.d",
    }
    (tmp_path / "nginx.conf").write_text(nginx.replaced(text("compose/nginx.conf"), inside))
    checked = subprocess.run([*made.command, "-t"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_the_containers_set_nothing_unknown(services: dict[str, dict[str, Any]]) -> None:
    for name in ("migrate", *apps(services)):
        assert set(services[name]["environment"]) <= settings_read()
