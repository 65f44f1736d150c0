"""Which addresses of others we may call: none that lies inside, however it is spelled.

A shop names the receiver, and we call it from inside the operator's network. So only what is
plainly public is called; in development and in tests the loopback too, and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from payments.domain.errors import InvalidInput

LONGEST = 2000
PORTS = {"http": 80, "https": 443}

_PLAIN = re.compile(r"[!-\[\]-~]+")
"""Printable ASCII but for the space and the backslash, which programs read in different ways."""
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

_INSIDE_4 = tuple(
    IPv4Network(one)
    for one in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
"""IANA's register of special purposes, multicast and what is reserved."""
_PUBLIC_6 = IPv6Network("2000::/3")
"""All that IANA has given out for the Internet; what is not in it is inside."""
_INSIDE_6 = tuple(IPv6Network(one) for one in ("2001::/23", "2001:db8::/32", "3fff::/20"))
_HOLDING_4 = (
    # IPv4-mapped, NAT64 and 6to4: the network, and how many bits stand behind the IPv4 address.
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes: `host` is a name, or an address in its usual spelling."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def tls(self) -> bool:
        return self.scheme == "https"

    @property
    def named(self) -> str:
        """As the header Host has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str, *, production: bool) -> Target:
    """Raises InvalidInput of the field `url`, for people and in their words."""
    if not _PLAIN.fullmatch(url) or len(url) > LONGEST:
        raise _wrong("The address is written with characters that do not belong there.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _wrong("This is no web address.") from None
    if parts.scheme not in PORTS:
        raise _wrong("The address begins with https://.")
    if production and parts.scheme != "https":
        raise _wrong("In production the address begins with https://.")
    if "@" in parts.netloc:
        raise _wrong("The address holds no user name and no password.")
    if "#" in url:
        raise _wrong("The address has no part behind a #.")
    if port == 0:
        raise _wrong("The port is from 1 to 65535.")
    host = _host(parts.hostname or "")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = Target(parts.scheme, host, port or PORTS[parts.scheme], path)
    if _is_literal(host) and not callable_at(host, production=production):
        raise inside()
    return target


def inside() -> InvalidInput:
    return InvalidInput(
        "The address leads into a network of our own.", code="inside_address", field="url"
    )


def callable_at(address: str, *, production: bool) -> bool:
    """Whether this IP address may be called. False too for what is no plain IP address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        if parsed.scope_id is not None:
            return False
        parsed = _within(parsed)
    if not production and parsed.is_loopback:
        return True
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _INSIDE_4)
    return parsed in _PUBLIC_6 and not any(parsed in network for network in _INSIDE_6)


def _within(address: IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address to which this one leads, where it does."""
    for network, behind in _HOLDING_4:
        if address in network:
            return IPv4Address((int(address) >> behind) & 0xFFFFFFFF)
    return address


def _host(host: str) -> str:
    """In small letters. Raises InvalidInput unless it is a name or a usually spelled address."""
    if _is_literal(host) and "%" not in host:
        return str(ip_address(host))
    host = host.removesuffix(".")
    labels = host.split(".")
    # 2130706433, 0177.1 and 0x7f.0.0.1 are the loopback to the system's own resolver.
    a_number = _NUMBER.fullmatch(labels[-1])
    if a_number or len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _wrong("The address names no host in the usual spelling.")
    return host


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _wrong(words: str) -> InvalidInput:
    return InvalidInput(words, code="invalid_url", field="url")
