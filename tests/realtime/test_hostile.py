"""What a hostile page sends is answered, dropped or closed; everybody else hears as before."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.realtime.conftest import ByHand, Raw, Shop, Visit, eventually

MALFORMED: list[list[Any]] = [
    [],
    [None],
    [True],
    [5],
    [1.5],
    [""],
    [[]],
    [["order:x"]],
    [{}],
    [{"topic": None}],
    [{"topic": 5}],
    [{"topic": ["order:x"]}],
    [{"topic": {"order": "x"}}],
    [{"topic": ""}],
    [{"topic": "x" * 101}],
    [{"topic": "elsewhere"}],
    [{"topic": "order:x", "after": "1"}],
    [{"topic": "order:x", "after": -1}],
    [{"topic": "order:x", "after": 1.0}],
    [{"topic": "order:x", "after": True}],
    [{"topic": "order:x", "after": 2**40}],
    [{"topic": "order:x", "after": []}],
]
STRANGE_IDS = ["order:", "order:\x00", "order:\ud800", "order:a b", "order:" + "é" * 20, "orders:x"]
SAID = {"ok": False, "error": "bad_request"}


@pytest.fixture
def page(a_shop: Shop, by_hand: ByHand) -> Raw:
    raw = by_hand(a_shop, origin=a_shop.url)
    raw.connect(None)
    return raw


def lives(page: Raw) -> bool:
    return bool(page.ask("watch", {"topic": "order:none"}) == {"ok": False, "error": "not_found"})


@pytest.mark.parametrize("args", MALFORMED, ids=repr)
def test_a_malformed_wish_is_a_bad_request(page: Raw, args: list[Any]) -> None:
    assert page.ask("watch", *args) == SAID
    assert lives(page)


@pytest.mark.parametrize("topic", STRANGE_IDS, ids=ascii)
def test_an_id_that_cannot_be_is_not_found(page: Raw, topic: str) -> None:
    assert page.ask("watch", {"topic": topic}) == {"ok": False, "error": "not_found"}


@pytest.mark.parametrize(
    "claim",
    [None, 5, [], {}, {"topic": "order:x"}, {"topic": 5, "version": 1}]
    + [{"topic": "order:x", "version": version} for version in (None, "1", 1.0, True, -1, 2**40)],
    ids=repr,
)
def test_a_malformed_sighting_is_a_bad_request(page: Raw, claim: Any) -> None:
    assert page.ask("seen", claim) == SAID


def test_a_malformed_goodbye_is_a_bad_request(page: Raw) -> None:
    assert page.ask("unwatch", None) == SAID
    assert page.ask("unwatch", {"topic": "order:never-watched"})["ok"]


UNDECODABLE = {
    "empty": "",
    "no packet type": "x",
    "unknown engine packet": "9",
    "no json": "42{",
    "not a list": '42{"watch":1}',
    "no name": "42[]",
    "a name that is no text": "42[5]",
    "a list for a name": '42[["watch"]]',
    "nothing": "42",
    "a reserved name": '42["connect"]',
    "another": '42["disconnect"]',
    "a binary event": '451-["watch",{"_placeholder":true,"num":0}]',
    "endless attachments": '459999999999-["watch"]',
    "a binary ack": '461-1["x"]',
    "an ack to nothing": '437["x"]',
    "an ack to the counter": '430["x"]',
    "an ack without a list": "437{}",
    "a long id": "42" + "1" * 200 + '["watch"]',
    "an unknown packet": '47["watch"]',
    "connected again": "40",
    "an unknown namespace": '42/nowhere,["watch"]',
    "not a number": '42["watch",NaN]',
    "infinity": '42["watch",1e999]',
    "a long number": '42["watch",' + "9" * 5000 + "]",
    "deep": '42["watch",' + "[" * 30_000,
    "deep and closed": '42["watch",' + "[" * 30_000 + "]" * 30_000 + "]",
    "deep objects": '42["watch",' + '{"a":' * 10_000,
    "wide": '42["watch",' + "[]," * 15_000 + "1]",
    "33 deep": '42["watch",' + "[" * 33 + "]" * 33 + "]",
    "deep at the engine": "4" + "[" * 30_000,
    "a probe": "2probe",
    "an upgrade": "5",
    "a noop": "6",
    "an arabic digit": "٤٢[]",
    "a superscript": "4²[]",
}


@pytest.mark.parametrize("message", UNDECODABLE.values(), ids=UNDECODABLE.keys())
def test_what_cannot_be_decoded_is_dropped(a_shop: Shop, page: Raw, message: str) -> None:
    page.send(message)
    assert lives(page)
    assert "Traceback" not in a_shop.process.log()


def test_a_binary_frame_is_dropped_and_counted(a_shop: Shop, page: Raw) -> None:
    name = 'paychime_socket_packets_dropped_total{reason="undecodable"}'
    before = a_shop.figure(name)
    page.socket.send_binary(b"\x04watch")
    assert lives(page)
    assert a_shop.figure(name) == before + 1


def test_thirty_two_deep_is_read(page: Raw) -> None:
    page.send('420["watch",' + "[" * 31 + "]" * 31 + "]")
    assert page.until(lambda message: message == "430" + json.dumps([SAID], separators=(",", ":")))


def test_an_event_that_nobody_knows_is_refused_and_counted(a_shop: Shop, page: Raw) -> None:
    name = 'paychime_socket_packets_dropped_total{reason="unknown_event"}'
    before = a_shop.figure(name)
    assert page.ask("make-me-admin", {"a": 1}) == SAID
    page.send('42["make-me-admin",{"a":1}]')
    assert lives(page)
    assert a_shop.figure(name) == before + 2


def beginning(*starts: str) -> Callable[[str], bool]:
    return lambda message: message.startswith(starts)


FOREIGN = (
    "subscribe:payment-events",
    "unsubscribe:payment-events",
    "join-order",
    "leave-order",
    "track-payment",
    "stop-tracking-payment",
    "subscribe_booking",
    "unsubscribe_booking",
)
FIELDS = ("orderId", "reference", "bookingId", "invoiceId")
BAD_VALUES: list[Any] = [None, True, 1.5, "", [], {}, {"orderId": "x"}, "x" * 101]
BAD_IDS: list[list[Any]] = [
    *([], [None], [True], [1.5], [""], [[]], [{}], [{"a": "b"}], ["x" * 101], [["x"]]),
    *([{field: value}] for field in FIELDS for value in BAD_VALUES),
]


@pytest.mark.parametrize("event", FOREIGN)
def test_a_malformed_payload_is_a_bad_request_in_every_vocabulary(
    a_shop: Shop, by_hand: ByHand, event: str
) -> None:
    salon = event.endswith("payment-events")
    page = by_hand(a_shop, origin=a_shop.url)
    page.connect(None)
    where = "/ws/payments/salon/any," if salon else ""
    if salon:
        page.send(f"40{where}")
        page.until(lambda message: message.startswith(f"40{where}"))
    for number, args in enumerate(BAD_IDS, 1000):
        page.send(f"42{where}{number}{json.dumps([event, *args])}")
        start = f"43{where}{number}["
        answer = page.until(beginning(start))
        assert json.loads(answer[len(start) - 1 :]) == [SAID], args
    assert lives(page)


def test_one_connection_has_only_so_many_namespaces(a_shop: Shop, by_hand: ByHand) -> None:
    page = by_hand(a_shop, origin=a_shop.url)
    page.connect(None)
    for number in range(1, 25):
        name = f"/ws/payments/salon/{number},"
        page.send(f"40{name}")
        answer = page.until(beginning(f"40{name}", f"44{name}"))
        assert answer.startswith("40" if number < 20 else "44"), number
        if number >= 20:
            assert "too_many" in answer
    page.send("41/ws/payments/salon/1,")
    page.send("40/ws/payments/salon/new,")
    page.until(lambda one: one.startswith("40/ws/payments/salon/new,"))


def closed(page: Raw) -> bool:
    """The server has ended it: at once, not by a timeout of ours."""
    page.socket.settimeout(5)
    try:
        while page.socket.recv_frame().opcode != websocket.ABNF.OPCODE_CLOSE:
            pass
    except websocket.WebSocketTimeoutException:
        return False
    except (OSError, websocket.WebSocketException):
        pass
    return True


def test_a_frame_over_64_kb_closes_the_connection(a_shop: Shop, page: Raw) -> None:
    page.send('42["watch","' + "x" * 63_000 + '"]')
    assert lives(page)
    page.send('42["watch","' + "x" * 65_000 + '"]')
    assert closed(page)


def test_a_text_of_many_bytes_closes_the_connection_too(page: Raw) -> None:
    page.send('42["watch","' + "漢" * 22_000 + '"]')
    assert closed(page)


def memory_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
@pytest.mark.parametrize("fragment_bytes", [65_000, 4_000])
def test_a_message_of_many_fragments_is_bounded_as_a_whole(
    a_shop: Shop, visit: Visit, page: Raw, fragment_bytes: int
) -> None:
    order = a_shop.order()
    bystander = visit(a_shop, a_shop.watch_token(order))
    bystander.watch(order)
    before = memory_kb(a_shop.process.pid)
    part = b"x" * fragment_bytes
    opcode = websocket.ABNF.OPCODE_TEXT
    sent = 0
    with suppress(OSError):
        while sent < 5_000_000:
            page.socket.send_frame(websocket.ABNF(0, 0, 0, 0, opcode, 1, part))
            opcode = websocket.ABNF.OPCODE_CONT
            sent += len(part)
    assert closed(page)
    assert memory_kb(a_shop.process.pid) - before < 3_000
    a_shop.move(order)
    bystander.wait_for("update")


@pytest.mark.parametrize("frame", ["unmasked", "reserved bits", "bad utf-8", "huge length"])
def test_a_broken_frame_closes_the_connection(a_shop: Shop, page: Raw, frame: str) -> None:
    raw = {
        "unmasked": b"\x81\x02hi",
        "reserved bits": b"\xf1\x80\0\0\0\0",
        "bad utf-8": b"\x81\x82\0\0\0\0\xff\xfe",
        "huge length": b"\x81\xff" + struct.pack("!Q", 2**62) + b"\0\0\0\0" + b"x" * 100_000,
    }[frame]
    with suppress(OSError):
        page.socket.sock.sendall(raw)
    assert closed(page)
    assert "Traceback" not in a_shop.process.log()


def test_a_polled_packet_over_64_kb_ends_the_session(a_shop: Shop) -> None:
    path = "/socket.io/?EIO=4&transport=polling"
    sid = json.loads(a_shop.get(path, origin=a_shop.url)[1:])["sid"]
    session = f"{path}&sid={sid}"
    assert a_shop.status("POST", session, b"4" + b"x" * 65_000) == 400
    assert a_shop.status("POST", session, b"40") == 400


def test_two_hundred_subscriptions_and_no_more(a_shop: Shop, visit: Visit) -> None:
    key = visit(a_shop, a_shop.person_token(f"{a_shop.mode}-keen", "clerk"))
    order_ids = [a_shop.order().id for _ in range(201)]
    answers = []
    for order_id in order_ids:
        time.sleep(0.012)  # within a hundred events a second
        answers.append(key.call("watch", {"topic": f"order:{order_id}"}))
    assert all(answer["ok"] for answer in answers[:200])
    assert answers[200] == {"ok": False, "error": "too_many"}
    assert key.call("watch", {"topic": f"order:{order_ids[0]}"})["ok"]
    assert key.call("unwatch", {"topic": f"order:{order_ids[0]}"})["ok"]
    assert key.call("watch", {"topic": f"order:{order_ids[200]}"})["ok"]


def test_a_hundred_events_a_second_and_no_more(page: Raw) -> None:
    for number in range(150):
        page.send(f'42{number}["unwatch",{{"topic":"order:x"}}]')
    answers = [page.ack(number) for number in range(150)]
    refused = [answer for answer in answers if answer.get("error") == "too_many"]
    assert 30 <= len(refused) <= 50
    assert all(answer["ok"] for answer in answers[:100])
    time.sleep(1.1)
    assert page.ask("unwatch", {"topic": "order:x"})["ok"]


def test_a_flood_does_not_keep_others_from_hearing(a_shop: Shop, visit: Visit, page: Raw) -> None:
    order = a_shop.order()
    bystander = visit(a_shop, a_shop.watch_token(order))
    bystander.watch(order)
    page.socket.sock.setblocking(False)
    flood = websocket.ABNF.create_frame('42["unwatch","order:x"]', 1).format() * 20
    took = []
    for _ in range(20):
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            try:
                page.socket.sock.send(flood)
            except BlockingIOError:
                time.sleep(0.001)
        began = time.monotonic()
        version = a_shop.move(order, "payment.started")
        bystander.wait_for("update", version - 1)
        took.append(time.monotonic() - began)
    assert sorted(took)[len(took) // 2] < 1.5
    page.socket.sock.setblocking(True)


@pytest.mark.parametrize("kind", ["requests", "pings", "empty fragments"])
def test_one_connection_that_never_pauses_does_not_stop_the_server(
    a_shop: Shop, by_hand: ByHand, kind: str
) -> None:
    page = by_hand(a_shop, origin=a_shop.url)
    page.connect(None)
    flood = {
        "requests": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 500,
        "pings": b"\x89\x80\0\0\0\0" * 2_000,
        "empty fragments": b"\x01\x80\0\0\0\0" + b"\x00\x80\0\0\0\0" * 100_000,
    }[kind]
    plain = socket.create_connection(("127.0.0.1", a_shop.port))
    target = plain if kind == "requests" else page.socket.sock
    over = threading.Event()

    def pour() -> None:
        with suppress(OSError):
            while not over.is_set():
                target.sendall(flood)

    def drain() -> None:
        with suppress(OSError):
            while target.recv(1_000_000):
                pass

    threads = [threading.Thread(target=work) for work in (pour, drain)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    took = []
    for _ in range(10):
        began = time.monotonic()
        a_shop.get("/healthz")
        took.append(time.monotonic() - began)
    over.set()
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    plain.close()
    assert sorted(took)[5] < 1.5


def test_a_socket_that_says_nothing_is_counted_and_let_go(a_shop: Shop, by_hand: ByHand) -> None:
    page = by_hand(a_shop, origin=a_shop.url)
    page.open()
    count = a_shop.figure("paychime_open_sockets")
    page.close()
    eventually(lambda: a_shop.figure("paychime_open_sockets") < count)


def test_two_small_pushes_in_a_row_do_not_wait_for_each_other(page: Raw) -> None:
    """Neither the kernel nor the server holds back the second: each would take 40 ms."""
    took = []
    for number in range(100, 120):
        page.send(f'42{number}["ping"]')
        page.until(lambda message: message.startswith('42["pong"'))
        began = time.monotonic()
        page.ack(number)
        took.append(time.monotonic() - began)
        page.heard.clear()
    assert sorted(took)[5] < 0.03
