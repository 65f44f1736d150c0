"""A VietQR says what three independent packages say, and nothing damaged is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from vietnam_qr_pay import QRPay

from payments.providers.banks import BANKS, bank_name
from payments.providers.vietqr import (
    TO_CARD,
    BadPayload,
    Transfer,
    checksum,
    payload,
    read_objects,
    read_payload,
)
from payments.services.ids import new_reference

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "vietqr.json").read_text())[
    "vietqr"
]
BUILT = [vector for vector in VECTORS["payloads"] if "inputs" in vector]
FOUND = [vector for vector in VECTORS["payloads"] if "inputs" not in vector]
PLAIN = Transfer("970436", "0011002233445", 420_000, "PH7K2M9QXWT4RVB")

transfers = some.builds(
    Transfer,
    bin=some.sampled_from(sorted(BANKS)),
    account=some.from_regex(r"[A-Za-z0-9]{1,19}", fullmatch=True),
    amount=some.none() | some.integers(1, 499_999_999),
    memo=some.none() | some.from_regex(r"[A-Z0-9]{1,19}", fullmatch=True),
)


def asked(inputs: dict[str, Any]) -> Transfer:
    return Transfer(
        bin=inputs["bankBin"],
        account=inputs["bankNumber"],
        amount=int(inputs["amount"]) if "amount" in inputs else None,
        memo=inputs.get("purpose"),
        service=inputs.get("service", "QRIBFTTA"),
    )


@pytest.mark.parametrize("vector", BUILT, ids=lambda vector: vector["crc"])
def test_we_write_what_the_packages_write_and_read_it_back(vector: dict[str, Any]) -> None:
    transfer = asked(vector["inputs"])
    assert payload(transfer) == vector["payload"]
    assert read_payload(vector["payload"]) == transfer


def test_codes_that_others_issued_are_read() -> None:
    with_words, static, of_momo = (vector["payload"] for vector in FOUND)
    assert read_payload(with_words) == Transfer("970416", "257678859", 10_000, "Chuyen tien")
    assert read_payload(static) == Transfer("970422", "0352350917")
    assert static[-4:] == "79db", "its checksum is in small letters"
    assert read_objects(of_momo)["54"] == "1000"
    with pytest.raises(BadPayload, match="no account"):
        read_payload(of_momo)


def test_the_checksum_is_the_one_of_the_catalogue() -> None:
    assert checksum(VECTORS["crc_check"]["input"]) == VECTORS["crc_check"]["crc"]


@given(transfers)
def test_what_is_written_is_what_was_meant(transfer: Transfer) -> None:
    assert read_payload(payload(transfer)) == transfer


@given(transfers)
def test_an_independent_package_reads_and_writes_the_same(transfer: Transfer) -> None:
    text = payload(transfer)
    theirs = QRPay(text)
    assert theirs.is_valid
    assert (theirs.consumer.bank_bin, theirs.consumer.bank_number) == (
        transfer.bin,
        transfer.account,
    )
    assert theirs.amount == (str(transfer.amount) if transfer.amount else None)
    assert theirs.additional_data.purpose == transfer.memo
    made = QRPay.init_viet_qr(
        transfer.bin,
        transfer.account,
        str(transfer.amount) if transfer.amount else None,
        transfer.memo,
    )
    assert made.build() == text


def test_each_changed_bit_is_noticed() -> None:
    text = payload(PLAIN)
    tried = 0
    for place in range(len(text)):
        for bit in range(7):
            changed = text[:place] + chr(ord(text[place]) ^ 1 << bit) + text[place + 1 :]
            if changed.upper() == text.upper() and place >= len(text) - 4:
                continue  # the same checksum in a small letter
            with pytest.raises(BadPayload):
                read_payload(changed)
            tried += 1
    assert tried > 6 * len(text)


def closed(body: str) -> str:
    return f"{body}6304{checksum(f'{body}6304')}"


BODY = payload(PLAIN)[:-8]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "checksum"),
        ("hello", "checksum"),
        ("é" * 40, "ASCII"),
        (payload(PLAIN) + " ", "checksum"),
        (payload(PLAIN)[:-1], "checksum"),
        (payload(PLAIN) * 5, "ASCII"),
        (closed("6304"), "length|begin"),
        (closed(BODY[6:]), "begin"),
        (closed(BODY.replace("000201", "000202", 1)), "begin"),
        (closed(BODY + "9999"), "length"),
        (closed(BODY + "99xx1"), "length"),
        (closed(BODY + "9900"), "length"),
        (closed(BODY + "9908"), "length|begin"),
        (closed(BODY + "5303704"), "twice"),
        (closed(BODY.replace("5303704", "5303840")), "dong"),
        (closed(BODY.replace("5802VN", "5802US")), "dong"),
        (closed(BODY.replace("010212", "010213")), "static"),
        (closed(BODY.replace("A000000727", "A000000728")), "no account"),
        (closed(BODY.replace("0006970436", "0006x70436")), "no bank"),
        (closed(BODY.replace("QRIBFTTA", "QRPUSHXX")), "no transfer"),
        (closed(BODY.replace("5406420000", "5406-20000")), "whole dong"),
        (closed(BODY.replace("5406420000", "5406042000")), "whole dong"),
        (closed(BODY.replace("5406420000", "54064200.0")), "whole dong"),
        (closed(BODY.replace("5406420000", "540" + "7420000")), "length|begin"),
    ],
)
def test_what_is_no_vietqr_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(BadPayload, match=why):
        read_payload(text)


@given(some.text(max_size=200))
def test_nothing_that_a_stranger_types_does_more_than_be_refused(text: str) -> None:
    for tried in (text, closed(text) if text.isascii() else text):
        with pytest.raises(BadPayload):
            read_payload(tried)


@pytest.mark.parametrize(
    ("transfer", "why"),
    [
        (Transfer("97043", "1"), "six digits"),
        (Transfer("97043६", "1"), "six digits"),
        (Transfer("970436", ""), "account"),
        (Transfer("970436", "1" * 20), "account"),
        (Transfer("970436", "00 11"), "account"),
        (Transfer("970436", "1", memo=""), "memo"),
        (Transfer("970436", "1", memo="A" * 20), "memo"),
        (Transfer("970436", "1", memo="thanh toan"), "memo"),
        (Transfer("970436", "1", memo="CHUYỂN"), "memo"),
        (Transfer("970436", "1", memo="A1\n"), "memo"),
        (Transfer("970436", "1", amount=0), "amount"),
        (Transfer("970436", "1", amount=-5), "amount"),
        (Transfer("970436", "1", amount=10**13), "amount"),
        (Transfer("970436", "1", service="QRPUSH"), "service"),
    ],
)
def test_what_no_bank_would_read_is_not_written(transfer: Transfer, why: str) -> None:
    with pytest.raises(BadPayload, match=why):
        payload(transfer)


def test_a_card_can_be_paid_too() -> None:
    transfer = Transfer("970403", "9704031012345678", 20_000, "CARD", TO_CARD)
    assert read_payload(payload(transfer)) == transfer


def test_our_references_fit_into_a_memo() -> None:
    for _ in range(200):
        reference = new_reference()
        assert read_payload(payload(Transfer("970436", "1", 1, reference))).memo == reference


def test_every_bank_of_the_list_has_its_name_and_code() -> None:
    listed = [bank for bank in VECTORS["banks"] if bank["bin"]]
    assert len(VECTORS["banks"]) == 62
    assert {bank["bin"] for bank in listed} == set(BANKS)
    for bin, bank in BANKS.items():
        theirs = [(one["code"], one["shortName"]) for one in listed if one["bin"] == bin]
        assert tuple(bank) in theirs
    assert (bank_name("970436"), bank_name("123456")) == ("Vietcombank", "123456")
