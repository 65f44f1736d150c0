"""`wsgi.py` on an Internet of the test's own.

INTERNET names a folder. In it `names.json` says to which addresses the names under `.example` lead,
and may be changed meanwhile; `hosts.json` on which port of the loopback a public address listens.
Each server writes into `connected-<PORT>` where it sets out to: an address and a port on each line.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import which
from typing import Any

import wsgi
from tests.receivers import Receiver

OURS = ".example"
PORT_OF_TCP = 6

real_serve = wsgi.serve


def serve(app: Any, settings: Any) -> None:
    """After the standard library was made green."""
    folder = Path(os.environ["INTERNET"])
    plant(folder)
    listen_in(file_of(folder, settings.port))
    real_serve(app, settings)


def file_of(folder: Path, port: int) -> Path:
    """Where the server on this port writes down its connections."""
    return folder / f"connected-{port}"


def plant(folder: Path) -> None:
    look_up, connect = socket.getaddrinfo, socket.create_connection

    def told(host: Any, port: Any, *args: Any, **options: Any) -> list[Any]:
        if not str(host).endswith(OURS):
            return list(look_up(host, port, *args, **options))
        addresses = json.loads((folder / "names.json").read_text()).get(host, [])
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (
                socket.AF_INET6 if ":" in one else socket.AF_INET,
                *(socket.SOCK_STREAM, PORT_OF_TCP, "", (one, port)),
            )
            for one in addresses
        ]

    def connected(address: Any, *args: Any, **options: Any) -> Any:
        ports = json.loads((folder / "hosts.json").read_text())
        if address[0] in ports:
            address = ("127.0.0.1", ports[address[0]])
        return connect(address, *args, **options)

    changed: Any = socket
    changed.getaddrinfo, changed.create_connection = told, connected


def listen_in(file: Path) -> None:
    """To every connection that Python begins in this process, whoever asks for it."""
    line = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def heard(event: str, about: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(about[1], tuple):
            os.write(line, f"{about[1][0]} {about[1][1]}\n".encode())

    sys.addaudithook(heard)


class Internet:
    """The folder of one test."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.names: dict[str, Sequence[str]] = {}
        self.leads({})

    def leads(self, names: Mapping[str, Sequence[str]]) -> None:
        """From now on."""
        self.names |= names
        whole = self.folder / "names.new"
        whole.write_text(json.dumps(self.names))
        whole.replace(self.folder / "names.json")

    def holds(self, hosts: dict[str, int]) -> None:
        (self.folder / "hosts.json").write_text(json.dumps(hosts))

    def certificate(self, *names: str) -> tuple[Path, Path]:
        """For these names, and its key; whoever is given the first one believes it."""
        file, key, openssl = self.folder / "one.pem", self.folder / "one.key", which("openssl")
        assert openssl is not None
        command = [
            *(openssl, "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", f"/CN={names[0]}"),
            *("-addext", f"subjectAltName={','.join(f'DNS:{name}' for name in names)}"),
            *("-keyout", str(key), "-out", str(file)),
        ]
        subprocess.run(command, check=True, capture_output=True)
        return file, key

    def connections(self) -> set[tuple[str, int]]:
        """Of all servers, since their first start."""
        files = self.folder.glob("connected-*")
        lines = [line.split() for file in files for line in file.read_text().splitlines()]
        return {(address, int(port)) for address, port in lines}


def over_tls(receiver: Receiver, certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)


if __name__ == "__main__":
    wsgi.serve = serve
    wsgi.main()
