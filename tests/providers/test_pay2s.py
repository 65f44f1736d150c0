"""Pay2S: the webhook's token decides for the feed, the signature for the gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from payments.domain.errors import BadCallback, BadSignature, MalformedCallback, WrongMediaType
from payments.domain.states import Kind
from payments.providers.pay2s import Feed, Gateway
from payments.settings import load
from tests.feeds import SECRET, SETTINGS, TOKEN, Told, Transfer, each, gateway, pay2s, written
from tests.signing import JSON

HERE = Path(__file__).parent
VECTORS = json.loads((HERE.parent / "vectors" / "pay2s.json").read_text())["pay2s"]
MEMO = "P23456789ABCDEF"
ENVIRONMENT = {"APP_ENV": "test", "SECRET_KEY": "a secret of the tests", **SETTINGS}


def feed(*tokens: str) -> Feed:
    return Feed(load(ENVIRONMENT | {"PAY2S_WEBHOOK_TOKEN": ",".join(tokens or (TOKEN,))}))


def desk(**changed: str) -> Gateway:
    return Gateway(load(ENVIRONMENT | changed))


def line(**changed: Any) -> dict[str, Any]:
    (documented,) = VECTORS["webhook_body"]["body"]["transactions"]
    return {**documented, **changed}


def body(*lines: Any) -> bytes:
    return written({"transactions": list(lines)})


class TestTheFeed:
    def test_the_documented_line_is_read(self) -> None:
        (notice,) = feed().read(JSON, body(line()))
        assert (notice.provider, notice.rail, notice.kind) == ("pay2s", "bank", Kind.SUCCEEDED)
        assert (notice.event_id, notice.transaction_id) == ("1788052", "pay2s:1788052")
        assert (notice.amount, notice.currency, notice.any_amount) == (50_000, "VND", True)
        assert (notice.evidence, notice.memos) == (("10418",), ())
        assert notice.text == "SHOPVPS12537 GD 789604-040125 00:05:38"

    def test_a_memo_is_found_in_what_the_bank_wrote_around_it(self) -> None:
        (notice,) = feed().read(JSON, body(line(content=f"CT DEN:{MEMO.lower()}GD 789604")))
        assert notice.memos == (MEMO,)

    def test_several_lines_are_several_notices(self) -> None:
        told = feed().read(JSON, body(line(id="1"), line(id="2"), line(id="3")))
        assert [one.event_id for one in told] == ["1", "2", "3"]
        assert list(feed().read(JSON, body())) == []

    def test_a_line_is_the_same_in_whichever_body_it_comes_again(self) -> None:
        (alone,) = feed().read(JSON, body(line(id="2")))
        together = feed().read(JSON, body(line(id="1"), line(id="2")))
        assert alone in together
        assert alone.signed == together[1].signed

    @pytest.mark.parametrize(
        "changed",
        [
            {"transferType": "OUT"},
            {"transferType": "out"},
            {"transferAmount": 0},
            {"transferAmount": -50_000},
        ],
    )
    def test_where_no_money_came_in_there_is_nothing_to_say(self, changed: dict[str, Any]) -> None:
        assert list(feed().read(JSON, body(line(**changed)))) == []

    @pytest.mark.parametrize(
        "changed",
        [
            *each("id", None, "", " ", "a b", "é", -1, 1.5, True, [], "x" * 81),
            *each("transferAmount", None, "", "5e4", 50_000.0, 1.5, True, [], "५", 10**12),
            *each("transferType", None, "", "IO", 1),
        ],
    )
    def test_what_makes_no_sense_is_malformed(self, changed: dict[str, Any]) -> None:
        with pytest.raises(MalformedCallback):
            feed().read(JSON, body(line(**changed)))

    @pytest.mark.parametrize(
        "whole",
        [b"{}", b'{"transactions": {}}', b'{"transactions": [7]}', b"[]", b"", b"{"],
    )
    def test_a_body_of_another_shape_is_malformed(self, whole: bytes) -> None:
        with pytest.raises(MalformedCallback):
            feed().read(JSON, whole)

    def test_a_line_that_cannot_be_read_does_not_cost_the_others_their_money(self) -> None:
        told = feed().read(JSON, body(line(id="1"), line(id=None), 7, line(id="2")))
        assert [one.event_id for one in told[:2]] == ["1", "2"]
        for kept in told[2:]:
            assert kept.event_id.startswith("unreadable:")
            assert (kept.amount, kept.memos) == (None, None)
        assert feed().read(JSON, body(line(id="1"), line(id=None)))[-1] == told[2]

    @pytest.mark.parametrize(
        "sent",
        [
            {},
            {"Authorization": ""},
            {"Authorization": TOKEN},
            {"Authorization": "Bearer"},
            {"Authorization": "Bearer "},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": f"Bearer {TOKEN[:-1]}"},
            {"Authorization": f"Bearer {TOKEN}x"},
            {"Authorization": f"Bearer  {TOKEN}"},
            {"Authorization": f"Bearer {TOKEN.upper()}"},
            {"Authorization": f"Bearer {TOKEN},Bearer {TOKEN}"},
        ],
    )
    def test_only_the_token_proves_it(self, sent: dict[str, str]) -> None:
        with pytest.raises(BadSignature):
            feed().verify(JSON | sent, body(line()))

    def test_the_checksum_is_not_relied_on(self) -> None:
        told = pay2s(Transfer("x", 1))
        feed().verify(told.headers, told.body)
        feed().verify(told.headers, body(line(checksum="0" * 32)))

    def test_the_old_token_is_believed_only_while_it_is_rotated(self) -> None:
        told = pay2s(Transfer("x", 1), token="the old one")
        feed(TOKEN, "the old one").verify(told.headers, told.body)
        with pytest.raises(BadSignature):
            feed(TOKEN).verify(told.headers, told.body)

    def test_another_type_than_json_is_refused(self) -> None:
        with pytest.raises(WrongMediaType):
            feed().read({"Content-Type": "text/plain"}, body(line()))


class TestTheGateway:
    @pytest.mark.parametrize("field", ["m2signature", "signature"])
    def test_what_integrators_pinned_is_believed_and_read(self, field: str) -> None:
        (vector,) = VECTORS["ipn"]
        fields = dict(pair.split("=", 1) for pair in vector["raw"].split("&"))
        del fields["accessKey"]
        shop = desk(
            PAY2S_PARTNER_CODE="PC", PAY2S_ACCESS_KEY="AK", PAY2S_SECRET_KEY=vector["secretKey"]
        )
        whole = written(fields | {field: vector["m2signature"]})
        shop.verify(JSON, whole)
        (notice,) = shop.read(JSON, whole)
        assert (notice.event_id, notice.amount) == ("ORD1:99:0", 2_000)
        assert notice.transaction_id == "pay2s-gateway:99"

    def test_money_is_found_by_the_memo_in_the_orders_words(self) -> None:
        (notice,) = desk().read(JSON, gateway("A-1", 5_000, orderInfo=f"tt {MEMO}").body)
        assert (notice.memos, notice.reference, notice.rail) == ((MEMO,), None, "bank")
        (notice,) = desk().read(JSON, gateway(MEMO, 5_000, orderInfo="coffee").body)
        assert notice.memos == (MEMO,)
        assert notice.evidence == (), "Pay2S's number is not the bank's"

    @pytest.mark.parametrize(
        ("code", "kind", "reason"),
        [
            (9000, Kind.PROCESSING, None),
            ("9000", Kind.PROCESSING, None),
            (1006, Kind.FAILED, "unknown"),
            (7, Kind.FAILED, "unknown"),
            (-1, Kind.FAILED, "unknown"),
        ],
    )
    def test_another_code_brings_no_money(self, code: Any, kind: Kind, reason: str | None) -> None:
        (notice,) = desk().read(JSON, gateway(MEMO, 5_000, resultCode=code).body)
        assert (notice.kind, notice.reason_code, notice.amount) == (kind, reason, None)
        assert notice.memos == (MEMO,)

    def test_an_amount_may_be_a_number_or_its_digits(self) -> None:
        for amount in (5_000, "5000"):
            told = gateway(MEMO, amount)
            desk().verify(told.headers, told.body)
            (notice,) = desk().read(told.headers, told.body)
            assert notice.amount == 5_000

    def test_each_changed_field_is_refused(self) -> None:
        told = gateway(MEMO, 5_000)
        fields = json.loads(told.body)
        for name in fields:
            for other in ("x", "", 7, None):
                if other == fields[name] or (other is None and fields[name] == ""):
                    continue
                with pytest.raises(BadCallback):
                    desk().verify(JSON, written(fields | {name: other}))

    def test_where_both_signatures_stand_both_have_to_be_right(self) -> None:
        fields = json.loads(gateway(MEMO, 5_000).body)
        right = fields["m2signature"]
        desk().verify(JSON, written(fields | {"signature": right}))
        for wrong in ("0" * 64, right[:-1], right.upper()):
            with pytest.raises(BadSignature):
                desk().verify(JSON, written(fields | {"signature": wrong}))

    @pytest.mark.parametrize("wrong", ["", None, 7, [], {}, "0" * 64, "é"])
    def test_without_its_signature_it_is_refused(self, wrong: object) -> None:
        fields = json.loads(gateway(MEMO, 5_000).body)
        with pytest.raises(BadSignature):
            desk().verify(JSON, written(fields | {"m2signature": wrong}))

    def test_another_partners_is_refused(self) -> None:
        told = gateway(MEMO, 5_000, partnerCode="SOMEBODY")
        with pytest.raises(BadSignature):
            desk().verify(told.headers, told.body)

    def test_the_old_secret_is_believed_only_while_it_is_rotated(self) -> None:
        told: Told = gateway(MEMO, 5_000, secret="the old secret of the gateway")
        desk(PAY2S_SECRET_KEY=f"{SECRET},the old secret of the gateway").verify(
            told.headers, told.body
        )
        with pytest.raises(BadSignature):
            desk().verify(told.headers, told.body)

    def test_what_is_not_signed_does_not_change_the_event(self) -> None:
        fields = json.loads(gateway(MEMO, 5_000).body)
        (one,) = desk().read(JSON, written(fields))
        (other,) = desk().read(JSON, written(fields | {"note": "x"}))
        assert one == other
