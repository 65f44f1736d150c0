"""SePay: a signature over time and body, or an API key; whatever it carries has to be right."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from payments.domain.errors import BadSignature, MalformedCallback
from payments.providers.sepay import Sepay
from payments.settings import load
from tests.feeds import SEPAY_KEY, SEPAY_SECRET, Told, Transfer, each, sepay, written
from tests.signing import JSON

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "sepay.json").read_text())
SIGNED = VECTORS["sepay"]["webhook_hmac"]
MEMO = "P23456789ABCDEF"
LINE = Transfer(f"MBVCB.3278907687.{MEMO}.CT tu 0071", 50_000, 92_704, "FT26305112233")


def shop(**settings: str) -> Sepay:
    own = settings or {"SEPAY_WEBHOOK_SECRET": SEPAY_SECRET}
    return Sepay(load({"APP_ENV": "test", "SECRET_KEY": "a secret of the tests", **own}))


def by_key(key: str = SEPAY_KEY, line: Transfer = LINE) -> Told:
    return Told("sepay", sepay(line).body, JSON | {"Authorization": f"Apikey {key}"})


@pytest.mark.parametrize("vector", SIGNED, ids=lambda v: v["timestamp"])
def test_what_three_integrators_sign_is_believed(
    vector: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: float(vector["timestamp"]) + 299)
    body = vector["raw_body"].encode()
    one = shop(SEPAY_WEBHOOK_SECRET=vector["secret"])
    one.verify(JSON | vector["headers"], body)
    (notice,) = one.read(JSON, body)
    said = json.loads(body)
    assert notice.event_id == str(said["id"])
    assert notice.amount == said["transferAmount"]
    assert notice.evidence == (said["referenceCode"],)


def test_a_line_is_read() -> None:
    told = sepay(LINE)
    shop().verify(told.headers, told.body)
    (notice,) = shop().read(told.headers, told.body)
    assert (notice.provider, notice.rail, notice.currency) == ("sepay", "bank", "VND")
    assert (notice.event_id, notice.transaction_id) == ("92704", "sepay:92704")
    assert (notice.memos, notice.evidence) == ((MEMO,), ("FT26305112233",))


def test_the_memo_may_stand_in_the_code_that_sepay_found() -> None:
    told = sepay(Transfer("chuyen tien", 50_000), code=MEMO.lower())
    (notice,) = shop().read(told.headers, told.body)
    assert notice.memos == (MEMO,)


@pytest.mark.parametrize("line", [Transfer("x", 5, incoming=False), Transfer("x", 0)])
def test_where_no_money_came_in_there_is_nothing_to_say(line: Transfer) -> None:
    told = sepay(line)
    assert list(shop().read(told.headers, told.body)) == []


@pytest.mark.parametrize("age", [0, 298, -298])
def test_a_clock_within_five_minutes_is_believed(age: int) -> None:
    told = sepay(LINE, age=age)
    shop().verify(told.headers, told.body)


@pytest.mark.parametrize("age", [302, -302, 86_400, -86_400])
def test_a_clock_further_off_is_refused(age: int) -> None:
    told = sepay(LINE, age=age)
    with pytest.raises(BadSignature):
        shop().verify(told.headers, told.body)


@pytest.mark.parametrize("wrong", ["", "-1", "1e9", " 1", "٣", "9" * 400, "now"])
def test_a_time_that_is_none_is_refused(wrong: str) -> None:
    told = sepay(LINE)
    with pytest.raises(BadSignature):
        shop().verify(told.headers | {"X-SePay-Timestamp": wrong}, told.body)


def test_each_changed_byte_of_the_body_is_refused() -> None:
    told = sepay(LINE)
    for place in range(len(told.body)):
        flipped = bytes([told.body[place] ^ 1])
        with pytest.raises(BadSignature):
            shop().verify(told.headers, told.body[:place] + flipped + told.body[place + 1 :])


def test_a_body_that_is_no_text_is_refused() -> None:
    with pytest.raises(BadSignature):
        shop().verify(sepay(LINE).headers, b"\xff\xfe")


@pytest.mark.parametrize("wrong", ["", "sha256=", "sha256=" + "0" * 64, "0" * 64, "sha1=0", "é"])
def test_another_signature_is_refused(wrong: str) -> None:
    told = sepay(LINE)
    with pytest.raises(BadSignature):
        shop().verify(told.headers | {"X-SePay-Signature": wrong}, told.body)


def test_the_signature_without_its_scheme_is_refused() -> None:
    told = sepay(LINE)
    bare = told.headers["X-SePay-Signature"].removeprefix("sha256=")
    with pytest.raises(BadSignature):
        shop().verify(told.headers | {"X-SePay-Signature": bare}, told.body)


def test_the_old_secret_is_believed_only_while_it_is_rotated() -> None:
    told = sepay(LINE, secret="the old one")
    shop(SEPAY_WEBHOOK_SECRET=f"{SEPAY_SECRET},the old one").verify(told.headers, told.body)
    with pytest.raises(BadSignature):
        shop().verify(told.headers, told.body)


class TestByApiKey:
    def test_the_key_proves_it(self) -> None:
        told = by_key()
        shop(SEPAY_API_KEY=SEPAY_KEY).verify(told.headers, told.body)
        shop(SEPAY_API_KEY=f"a new one,{SEPAY_KEY}").verify(told.headers, told.body)

    @pytest.mark.parametrize(
        "sent",
        [
            *("", SEPAY_KEY, "Apikey", "Apikey ", f"Bearer {SEPAY_KEY}", f"Apikey {SEPAY_KEY}x"),
            f"Apikey {SEPAY_KEY},Apikey {SEPAY_KEY}",
        ],
    )
    def test_no_other_does(self, sent: str) -> None:
        with pytest.raises(BadSignature):
            shop(SEPAY_API_KEY=SEPAY_KEY).verify(JSON | {"Authorization": sent}, by_key().body)

    def test_a_shop_that_wants_a_signature_takes_no_key(self) -> None:
        told = by_key(SEPAY_SECRET)
        with pytest.raises(BadSignature):
            shop().verify(told.headers, told.body)

    def test_a_shop_that_wants_a_key_takes_no_signature(self) -> None:
        told = sepay(LINE, secret=SEPAY_KEY)
        with pytest.raises(BadSignature):
            shop(SEPAY_API_KEY=SEPAY_KEY).verify(told.headers, told.body)


class TestWithBothSetUp:
    """SePay sends one of them: a shop that changes from one to the other has both for a while."""

    both = staticmethod(lambda: shop(SEPAY_API_KEY=SEPAY_KEY, SEPAY_WEBHOOK_SECRET=SEPAY_SECRET))

    def test_either_proves_it(self) -> None:
        for told in (by_key(), sepay(LINE)):
            self.both().verify(told.headers, told.body)

    def test_a_right_one_does_not_help_a_wrong_one(self) -> None:
        told = sepay(LINE)
        self.both().verify(told.headers | {"Authorization": f"Apikey {SEPAY_KEY}"}, told.body)
        for wrong in (
            {"Authorization": "Apikey wrong"},
            {
                "Authorization": f"Apikey {SEPAY_KEY}",
                "X-SePay-Signature": "sha256=" + "0" * 64,
            },
        ):
            with pytest.raises(BadSignature):
                self.both().verify(told.headers | wrong, told.body)


@pytest.mark.parametrize(
    "changed",
    [
        *each("id", None, "", -1, 1.5, True, {}),
        *each("transferAmount", None, "x", 5.0, True, 10**12),
        *each("transferType", None, "inn", 1),
    ],
)
def test_what_makes_no_sense_is_malformed(changed: dict[str, Any]) -> None:
    body = written(json.loads(sepay(LINE).body) | changed)
    with pytest.raises(MalformedCallback):
        shop().read(JSON, body)


@pytest.mark.parametrize("absent", ["referenceCode", "code", "content", "description"])
def test_what_a_bank_left_out_is_not_missed(absent: str) -> None:
    said = json.loads(sepay(LINE).body)
    for told in ({k: v for k, v in said.items() if k != absent}, said | {absent: None}):
        (notice,) = shop().read(JSON, written(told))
        assert notice.amount == 50_000
