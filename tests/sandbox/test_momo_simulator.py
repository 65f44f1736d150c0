"""The pretended MoMo's API, held against MoMo's documents and against vectors of others' making."""

import base64
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from sandbox import MomoKeys, emv
from sandbox.momo import wire

from .world import KEYS, VECTORS, Json, World, opened, signature


@pytest.mark.parametrize("vector", VECTORS["ipn_and_redirect"])
def test_the_signer_agrees_with_results_that_momo_itself_signed(vector: Json) -> None:
    fields = {**vector["fields"], "accessKey": vector["accessKey"]}
    assert wire.sign(vector["secretKey"], wire.RESULT_ORDER, fields) == vector["signature"]


@pytest.mark.parametrize(
    ("kind", "order"), [("create", wire.CREATE_ORDER), ("refund", wire.REFUND_ORDER)]
)
def test_the_signer_agrees_with_a_package_of_somebody_else(
    kind: str, order: tuple[str, ...]
) -> None:
    for vector in VECTORS[kind]:
        fields = {**vector["body"], "accessKey": vector["accessKey"]}
        assert wire.sign(vector["secretKey"], order, fields) == vector["signature"]


@pytest.mark.parametrize("vector", VECTORS["create"])
def test_a_create_signed_by_a_package_of_somebody_else_is_taken(world: World, vector: Json) -> None:
    answer = world.call("create", vector["body"])
    assert (answer.status_code, answer.json()["resultCode"]) == (200, 0)
    altered = {**vector["body"], "amount": vector["body"]["amount"] + 1, "requestId": "other"}
    assert world.call("create", altered).json()["resultCode"] == 13


def test_a_create_is_answered_like_momos_own_sample(world: World) -> None:
    told = world.create()
    assert set(told) == set(VECTORS["create_response_sample"])
    assert (told["orderId"], told["requestId"], told["amount"]) == ("DH1042", "DH1042-1", 250_000)
    assert told["message"] == "Successful."
    assert abs(told["responseTime"] - time.time() * 1000) < 10_000


def test_the_pay_link_names_the_order_and_opens_the_hosted_page(world: World) -> None:
    told = world.create()
    link = told["payUrl"]
    parts = urlsplit(link)
    assert link.startswith("http://phone.test/sandbox/momo/v2/gateway/pay?t=")
    token, seal = parse_qs(parts.query)["t"][0], parse_qs(parts.query)["s"][0]
    assert base64.urlsafe_b64decode(token + "==") == b"MOMO|DH1042"
    assert len(bytes.fromhex(seal)) == 32
    assert told["deeplink"] == f"{link}&via=app"
    assert world.get(world.page()).status_code == 200


def test_the_qr_text_is_laid_out_like_momos_own_sample(world: World) -> None:
    def objects(text: str) -> dict[str, str]:
        found = {}
        while text:
            size = int(text[2:4])
            found[text[:2]], text = text[4 : 4 + size], text[4 + size :]
        return found

    ours = objects(world.create(amount=1_000)["qrCodeUrl"])
    sample = objects(VECTORS["create_response_sample"]["qrCodeUrl"])
    assert list(ours) == list(sample)
    assert {tag for tag in ours if ours[tag] != sample[tag]} == {"62", "63"}
    assert objects(ours["62"])["08"] == "Thanh toan don hang DH104"
    assert emv.crc16(b"123456789") == 0x29B1
    text = VECTORS["create_response_sample"]["qrCodeUrl"]
    assert f"{emv.crc16(text[:-4].encode()):04X}" == text[-4:]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"requestId": ""}, 20),
        ({"requestId": "r" * 51}, 20),
        ({"orderId": "-DH1042"}, 20),
        ({"orderId": "DH 1042"}, 20),
        ({"orderId": "a" * 199 + "!"}, 20),
        ({"orderInfo": "i" * 256}, 20),
        ({"ipnUrl": "http://shop.test/ipn?order=1"}, 20),
        ({"ipnUrl": "http://shop.test/thông-báo"}, 20),
        ({"ipnUrl": "not an address"}, 20),
        ({"redirectUrl": "http://shop.test/\r\nSet-Cookie: a=b"}, 20),
        ({"redirectUrl": "http://[shop.test/"}, 20),
        ({"extraData": "email=mai@demo.test"}, 20),
        ({"requestType": "payWithShells"}, 20),
        ({"lang": "fr"}, 20),
        ({"autoCapture": False}, 20),
        ({"items": [{}] * 51}, 20),
        ({"orderInfo": 7}, 20),
        ({"storeName": "\ud800"}, 20),
        ({"signature": "0" * 64}, 13),
        ({"signature": "é" * 64}, 13),
        ({"accessKey": "another"}, 13),
        ({"partnerCode": "MOMOLRJZ20181206"}, 13),
        ({"amount": 1_000.5}, 21),
        ({"amount": "a lot"}, 21),
        ({"amount": -5_000}, 21),
        ({"amount": True}, 21),
        ({"amount": 999}, 22),
        ({"amount": 50_000_001}, 22),
        ({"amount": 10**40}, 22),
        ({"requestType": "payWithATM", "amount": 9_999}, 22),
        ({"requestType": "payWithCC", "amount": 10_000_001}, 22),
    ],
)
def test_a_create_that_breaks_a_rule_is_refused_with_momos_code(
    world: World, changes: Json, code: int
) -> None:
    answer = world.call("create", world.order(**changes))
    assert (answer.status_code, answer.json()["resultCode"]) == (400, code)
    assert "payUrl" not in answer.json()
    assert world.query()["resultCode"] == 42


@pytest.mark.parametrize("missing", ["amount", "orderId", "extraData", "signature", "ipnUrl"])
def test_a_create_without_a_required_field_is_badly_formed(world: World, missing: str) -> None:
    body = world.order()
    del body[missing]
    assert world.call("create", body).json()["resultCode"] == 20


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"amount": NaN}', b"\x00"),
        *(b"[" * 30_000, b'{"amount": ' + b"9" * 10_000 + b"}", b" " * 100_000),
    ],
    ids=lambda raw: repr(raw[:12]),
)
@pytest.mark.parametrize("call", ["create", "query", "refund"])
def test_a_malformed_body_is_the_callers_fault(world: World, call: str, raw: bytes) -> None:
    answer = requests.post(f"{world.url}/momo/v2/gateway/api/{call}", data=raw, timeout=10)
    assert (answer.status_code, answer.json()["resultCode"]) == (400, 20)


def test_an_amount_sent_as_text_is_an_amount(world: World) -> None:
    assert world.create(amount="250000")["amount"] == 250_000


def test_the_same_request_again_gets_the_same_answer(world: World) -> None:
    assert world.create() == world.create()


def test_a_request_id_is_good_for_one_request(world: World) -> None:
    world.create()
    other = world.order("DH1043", requestId="DH1042-1")
    assert world.call("create", other).json()["resultCode"] == 40
    assert world.query("DH1043")["resultCode"] == 42


def test_a_request_that_was_refused_has_used_up_its_request_id(world: World) -> None:
    assert world.call("create", world.order(amount=1)).json()["resultCode"] == 22
    assert world.call("create", world.order(amount=1)).json()["resultCode"] == 40
    assert world.call("create", world.order()).json()["resultCode"] == 40


def test_an_order_id_is_good_for_one_payment(world: World) -> None:
    world.create()
    again = world.order(requestId="DH1042-2")
    assert world.call("create", again).json()["resultCode"] == 41


def test_a_request_under_way_is_being_processed(world: World) -> None:
    world.app.config["ANSWER_SECONDS"] = 0.5
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(world.call("create", world.order())))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = sorted((one.status_code, one.json()["resultCode"]) for one in answers)
    assert codes == [(200, 0), (422, 7000)]


def test_payments_outlive_the_process(tmp_path: Path) -> None:
    path = str(tmp_path / "made" / "sandbox.sqlite3")
    with opened(path) as before:
        link = before.create()["payUrl"]
        bought = before.paid("DH1043")
    with opened(path) as after:
        assert (after.query()["resultCode"], after.query("DH1043")["resultCode"]) == (1000, 0)
        assert after.payment()["payUrl"] == link
        assert after.refund(bought, 1_000)["resultCode"] == 0
        assert after.call("create", after.order("DH1043", requestId="x")).json()["resultCode"] == 41
        assert after.decide("pay")["resultCode"] == 0


def test_the_same_seed_gives_the_same_numbers_in_any_order() -> None:
    def play(orders: list[str], seed: int | None) -> dict[str, tuple[int, str | None]]:
        with opened(seed=seed) as world:
            numbers = {one: world.paid(one) for one in orders}
            return {one: (numbers[one], world.query(one).get("paymentOption")) for one in orders}

    orders = [f"DH{number}" for number in range(12)]
    first = play(orders, 3)
    assert play(orders[::-1], 3) == first
    assert play(orders, 4) != first
    assert len({number for number, _ in first.values()}) == len(orders)
    assert {option is None for _, option in first.values()} == {True, False}


def test_while_a_secret_is_rotated_both_are_taken_and_the_first_signs() -> None:
    keys = MomoKeys(KEYS.partner_code, KEYS.access_key, f"a new secret, {KEYS.secret_key}")
    with opened(keys=keys) as world:
        world.create()
        world.decide("pay")
        world.settled()
        told = world.merchant.heard[0]
        signed = {
            name: value
            for name, value in told.items()
            if name not in ("signature", "paymentOption")
        }
        assert told["signature"] == signature(signed, "a new secret")
