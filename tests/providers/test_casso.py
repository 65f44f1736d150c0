"""Casso: its own sample verifies, one changed byte does not, and neither form of JSON is a hole."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from payments.domain.errors import BadSignature, MalformedCallback
from payments.providers.casso import Casso
from payments.settings import load
from tests.feeds import CASSO_KEY, Transfer, casso, each, written
from tests.signing import JSON

(VECTOR,) = json.loads((Path(__file__).parent.parent / "vectors" / "casso.json").read_text())[
    "casso_v2"
]
WRONG: list[Any] = ["x", 7, None, {}]
SENT_AT = 1_727_948_258.788
MEMO = "P23456789ABCDEF"
LINE = Transfer(f"NGUYEN VAN A chuyen tien {MEMO} FT26305", 50_000, 6_789, "FT26305112233")
FOREIGN = Transfer(f"Cà phê 1/2 {MEMO}", 50_000, 6_790, "FT/1")


def shop(*keys: str) -> Casso:
    return Casso(
        load(
            {
                "APP_ENV": "test",
                "SECRET_KEY": "a secret of the tests",
                "CASSO_WEBHOOK_KEY": ",".join(keys or (CASSO_KEY,)),
            }
        )
    )


def sample() -> tuple[dict[str, str], bytes]:
    name, _, value = VECTOR["header"].partition(": ")
    return JSON | {name: value}, written(VECTOR["body"])


def test_cassos_own_sample_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    headers, body = sample()
    one = shop(VECTOR["checksum_key"])
    for off in (0, 299, -299):
        monkeypatch.setattr(time, "time", lambda off=off: SENT_AT + off)
        one.verify(headers, body)
    for off in (301, -301, 86_400):
        monkeypatch.setattr(time, "time", lambda off=off: SENT_AT + off)
        with pytest.raises(BadSignature):
            one.verify(headers, body)


def test_the_call_by_which_a_webhook_is_tried_brings_no_money() -> None:
    headers, body = sample()
    assert list(shop().read(headers, body)) == []


def test_a_line_is_read() -> None:
    told = casso(LINE)
    shop().verify(told.headers, told.body)
    (notice,) = shop().read(told.headers, told.body)
    assert (notice.event_id, notice.transaction_id) == ("6789", "casso:6789")
    assert (notice.amount, notice.memos) == (50_000, (MEMO,))
    assert notice.evidence == ("FT26305112233",)


@pytest.mark.parametrize("as_php", [False, True])
def test_other_letters_are_believed_as_either_of_the_samples_signs_them(as_php: bool) -> None:
    told = casso(FOREIGN, as_php=as_php)
    shop().verify(told.headers, told.body)
    (notice,) = shop().read(told.headers, told.body)
    assert notice.text == f"Cà phê 1/2 {MEMO}"


@pytest.mark.parametrize("as_php", [False, True])
def test_each_changed_value_is_refused(as_php: bool) -> None:
    told = casso(FOREIGN, as_php=as_php)
    message = json.loads(told.body)
    for name in message["data"]:
        for other in WRONG:
            changed = {**message, "data": {**message["data"], name: other}}
            with pytest.raises(BadSignature):
                shop().verify(told.headers, written(changed))
    for added in ({**message, "more": 1}, {"data": message["data"]}):
        with pytest.raises(BadSignature):
            shop().verify(told.headers, written(added))


def test_the_order_and_the_spaces_of_the_json_do_not_count() -> None:
    told = casso(LINE)
    message = json.loads(told.body)
    turned = {name: message[name] for name in reversed(message)}
    shop().verify(told.headers, json.dumps(turned, indent=3).encode())


@pytest.mark.parametrize("age", [298, -298])
def test_a_clock_within_five_minutes_is_believed(age: int) -> None:
    told = casso(LINE, age=age)
    shop().verify(told.headers, told.body)


@pytest.mark.parametrize("age", [302, -302, -86_400])
def test_a_clock_further_off_is_refused(age: int) -> None:
    told = casso(LINE, age=age)
    with pytest.raises(BadSignature):
        shop().verify(told.headers, told.body)


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "t=1", "v1=0", "t=,v1=", "t=x,v1=" + "0" * 128, "t=1,v1=" + "0" * 64),
        *("t=1,v1=" + "0" * 128, "é", "t=" + "9" * 40 + ",v1=" + "0" * 128),
    ],
)
def test_another_signature_is_refused(wrong: str) -> None:
    with pytest.raises(BadSignature):
        shop().verify(JSON | {"X-Casso-Signature": wrong}, casso(LINE).body)


def test_the_time_is_part_of_what_is_signed() -> None:
    told = casso(LINE, age=100)
    later = casso(LINE)
    fresh = later.headers["X-Casso-Signature"].split(",")[0]
    proof = told.headers["X-Casso-Signature"].split(",")[1]
    with pytest.raises(BadSignature):
        shop().verify(JSON | {"X-Casso-Signature": f"{fresh},{proof}"}, told.body)


def test_the_old_key_is_believed_only_while_it_is_rotated() -> None:
    told = casso(LINE, key="the old one")
    shop(CASSO_KEY, "the old one").verify(told.headers, told.body)
    with pytest.raises(BadSignature):
        shop().verify(told.headers, told.body)


class TestVersion1:
    body = written(
        {
            "error": 0,
            "data": [
                {"id": 1, "tid": "FT26305000001", "description": MEMO, "amount": 185_000},
                {"id": 2, "tid": "FT26305000002", "description": "TIEN DIEN", "amount": -9_000},
                {"id": 3, "tid": "FT26305000003", "description": "x", "amount": 5_000},
            ],
        }
    )

    def test_the_token_proves_it_and_all_its_lines_are_read(self) -> None:
        headers = JSON | {"Secure-Token": CASSO_KEY}
        shop().verify(headers, self.body)
        told = shop().read(headers, self.body)
        assert [(one.event_id, one.amount) for one in told] == [("1", 185_000), ("3", 5_000)]
        assert told[0].evidence == ("FT26305000001",)

    @pytest.mark.parametrize("wrong", ["", "x", f"{CASSO_KEY}x", f"{CASSO_KEY},{CASSO_KEY}"])
    def test_no_other_does(self, wrong: str) -> None:
        with pytest.raises(BadSignature):
            shop().verify(JSON | {"Secure-Token": wrong}, self.body)

    def test_a_right_token_does_not_help_a_wrong_signature(self) -> None:
        told = casso(LINE, key="wrong")
        with pytest.raises(BadSignature):
            shop().verify(told.headers | {"Secure-Token": CASSO_KEY}, told.body)


def test_money_that_went_out_is_nothing_to_say() -> None:
    told = casso(Transfer("x", 5_000, 7, incoming=False))
    assert list(shop().read(told.headers, told.body)) == []


@pytest.mark.parametrize(
    "data",
    [
        *(None, 7, "x", [7], [{}]),
        *({"amount": 5, **one} for one in each("id", None, "", -1, 1.5, [])),
        *({"id": 1, **one} for one in each("amount", None, "x", 5.5, True, 10**12)),
    ],
)
def test_what_makes_no_sense_is_malformed(data: Any) -> None:
    with pytest.raises(MalformedCallback):
        shop().read(JSON, written({"error": 0, "data": data}))
