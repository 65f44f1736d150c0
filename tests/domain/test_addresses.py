"""A shop may name any address: which of them we would call is decided before anybody is called."""

from __future__ import annotations

import pytest

from payments.domain.addresses import Target, callable_at, target_of
from payments.domain.errors import InvalidInput


def refusal(url: str, *, production: bool = True) -> str:
    with pytest.raises(InvalidInput) as refused:
        target_of(url, production=production)
    assert refused.value.field == "url"
    return refused.value.code


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://shop.example/a?b=c", Target("https", "shop.example", 443, "/a?b=c")),
        ("https://SHOP.example.:8443", Target("https", "shop.example", 8443, "/")),
        ("https://8.8.8.8/", Target("https", "8.8.8.8", 443, "/")),
        ("https://[2A00:1450::0001]/", Target("https", "2a00:1450::1", 443, "/")),
        ("https://xn--caf-dma.example/", Target("https", "xn--caf-dma.example", 443, "/")),
        ("https://3com.example/", Target("https", "3com.example", 443, "/")),
    ],
)
def test_a_public_address_is_taken(url: str, target: Target) -> None:
    assert target_of(url, production=True) == target


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.1", "0.0.0.0", "169.254.169.254", "100.100.100.200"),  # noqa: S104
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:0a00:0001]"),
        *("[64:ff9b::127.0.0.1]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[fe80::1]", "[fd12::1]"),
        *("[::127.0.0.1]", "[ff02::1]", "[2001:db8::1]", "[2001:0:1::1]", "224.0.0.251"),
    ],
)
def test_an_inside_address_is_refused_however_it_is_wrapped(host: str) -> None:
    assert refusal(f"https://{host}/") == "inside_address"


@pytest.mark.parametrize(
    "host",
    [
        *("2130706433", "017700000001", "0x7f000001", "0x7f.0.0.1", "127.1", "127.0.1"),
        *("0177.0.0.1", "127.0.0.1.", "0", "127.0.0.0x1", "1.2.3.4.5", "256.1.1.1", "0x", "010.1"),
        *("[fe80::1%25lo]", "[::1%lo]", "①②⑦.0.0.1", "127。0。0。1", "a..b", ".", "-a.example"),
        *("a@b.example", "@b.example", "a:b@b.example", "b.example\\@127.0.0.1", "", "a b", "a\tb"),
        *("b.example:0", "b.example:65536", "b.example:x", "b.example#", "x" * 254, "a%2e.example"),
    ],
)
@pytest.mark.parametrize("production", [True, False])
def test_what_programs_could_read_in_two_ways_is_refused_everywhere(
    host: str, production: bool
) -> None:
    assert refusal(f"https://{host}/", production=production) == "invalid_url"


@pytest.mark.parametrize(
    "url",
    [
        *("http://shop.example/", "ftp://shop.example/", "file:///etc/passwd", "//shop.example/"),
        *("shop.example", "", "https:/shop.example", "gopher://shop.example/", "https://[v1.a"),
        "https://shop.example/" + "a" * 2000,
        *("https://shop.example/\r\nX: y", "https://shop.example/\0", "https://shop.example/é"),
    ],
)
def test_in_production_an_address_is_a_plain_https_one(url: str) -> None:
    assert refusal(url) == "invalid_url"


def test_in_development_the_loopback_alone_may_be_named() -> None:
    for host in ("127.0.0.1", "127.8.8.8", "[::1]", "[::ffff:127.0.0.1]", "localhost"):
        assert target_of(f"http://{host}:8000/", production=False).port == 8000
    for host in ("10.0.0.1", "192.168.0.1", "169.254.169.254", "[fd00::1]", "0.0.0.0"):  # noqa: S104
        assert refusal(f"http://{host}/", production=False) == "inside_address"


def test_what_holds_a_public_address_is_as_public_as_that() -> None:
    for address in ("::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2606:4700::1111"):
        assert callable_at(address, production=True), address
    for address in ("127.1", "", "localhost", "8.8.8.8:80", "1.1.1"):
        assert not callable_at(address, production=False), address
