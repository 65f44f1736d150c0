"""A real nginx by the configuration in `deploy/`, but for its ports, certificate and log."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.servers import REPOSITORY, Process, ServerFailed

CONFIGURATION = REPOSITORY / "deploy" / "nginx" / "paychime.conf"
UPSTREAM = REPOSITORY / "deploy" / "nginx" / "paychime-upstream.conf"

MAIN = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/conf.d/*.conf;
}}
"""


def program(name: str) -> str:
    """Where it is. Raises ServerFailed where it is not installed."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise ServerFailed(f"{name} is missing: `make test` installs it, or says how to get it")
    return found


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that nobody but its own tests believes, and its key."""
    file, key = folder / "localhost.pem", folder / "localhost.key"
    if not file.exists():
        subprocess.run(
            [
                *(program("openssl"), "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
                *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"),
                *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
                *("-keyout", str(key), "-out", str(file)),
            ],
            capture_output=True,
            check=True,
        )
    return file, key


def replaced(text: str, changes: dict[str, str]) -> str:
    """Each of them stands there once: else the tests would run another file than is deployed."""
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def upstream(ports: Sequence[int], *, sticky: bool = True) -> str:
    first, second = ports
    text = replaced(
        UPSTREAM.read_text(),
        {
            "server 127.0.0.1:5000 ": f"server 127.0.0.1:{first} ",
            "server 127.0.0.1:5001 ": f"server 127.0.0.1:{second} ",
        },
    )
    return text if sticky else replaced(text, {"    ip_hash;\n": ""})


def proxy(folder: Path, port: int, plain_port: int) -> str:
    """We are the proxy before it: a client's address is what it says in `X-Forwarded-For`."""
    file, key = certificate(folder)
    text = replaced(
        CONFIGURATION.read_text(),
        {
            "    listen 80;\n": f"    listen 127.0.0.1:{plain_port};\n",
            "    listen 443 ssl;\n": f"    listen 127.0.0.1:{port} ssl;\n",
            "/etc/ssl/paychime/pay.example.pem": str(file),
            "/etc/ssl/paychime/pay.example.key": str(key),
            "/var/www/acme": str(folder / "acme"),
            "#set_real_ip_from 192.0.2.10;": "set_real_ip_from 127.0.0.1;",
            "#real_ip_header ": "real_ip_header ",
        },
    )
    text = text.replace("/var/log/nginx/", f"{folder}/")
    return text.replace("server_name pay.example;", "server_name localhost;")


class Nginx:
    """`url` leads by TLS to the processes of `ports`; `authority` is who answers for that."""

    def __init__(
        self, folder: Path, port: int, plain_port: int, ports: Sequence[int], *, sticky: bool = True
    ) -> None:
        self.folder = folder
        self.url = f"https://localhost:{port}"
        self.plain_url = f"http://localhost:{plain_port}"
        self.authority = str(certificate(folder)[0])
        self._process = Process("nginx", folder / "nginx.log")
        user = "user root;" if os.geteuid() == 0 else ""
        parts = folder / "conf.d"
        parts.mkdir()
        (parts / "paychime.conf").write_text(proxy(folder, port, plain_port))
        (parts / "paychime-upstream.conf").write_text(upstream(ports, sticky=sticky))
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))

    @property
    def command(self) -> list[str]:
        return [program("nginx"), "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]

    @property
    def access_log(self) -> str:
        return (self.folder / "access.log").read_text()

    def start(self) -> None:
        self._process.launch(
            self.command, {"PATH": os.environ["PATH"]}, self._answers, directory=self.folder
        )

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", verify=self.authority, timeout=2).ok
        except requests.ConnectionError:
            return False

    def stop(self) -> None:
        """With its worker, which a kill would leave behind."""
        self._process.end(signal.SIGTERM)


@contextmanager
def behind_nginx(
    folder: Path, ports: Sequence[int], port: int, plain_port: int, *, sticky: bool = True
) -> Iterator[Nginx]:
    """Meanwhile `requests` believes its certificate."""
    nginx = Nginx(folder, port, plain_port, ports, sticky=sticky)
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("REQUESTS_CA_BUNDLE", nginx.authority)
        nginx.start()
        try:
            yield nginx
        finally:
            nginx.stop()
