"""The text of a VietQR code: an EMVCo payload in the profile of NAPAS. Pure.

An object is a tag of two digits, a length of two digits and a value; some values hold objects. The
last is the CRC over all before it, its own tag and length included. Facts: NAPAS, "QR Switching,
Part IV: QR Code Format" 1.5.2, as three independent packages and codes issued by banks have it.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

NAPAS = "A000000727"
TO_ACCOUNT, TO_CARD = "QRIBFTTA", "QRIBFTTC"
DONG = "704"

FORMAT, METHOD, BENEFICIARY, CURRENCY = "00", "01", "38", "53"
AMOUNT, COUNTRY, MORE, CHECKSUM = "54", "58", "62", "63"
PURPOSE = "08"
STATIC, DYNAMIC = "11", "12"

MOST_TEXT = 512
"""Longer than any code of this kind; what a reader looks at is bounded."""

_BIN = re.compile(r"[0-9]{6}")
_ACCOUNT = re.compile(r"[A-Za-z0-9]{1,19}")
# Lengths are counted in characters by some readers and in bytes by others: only in ASCII they are
# the same. Banks drop signs and cut after 19 (vietqr.vn).
_MEMO = re.compile(r"[A-Z0-9]{1,19}")
_AMOUNT = re.compile(r"[1-9][0-9]{0,12}")


class BadPayload(ValueError):
    """A text that is no VietQR, or a transfer that cannot be put into one."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a code asks for. `bin` names the bank by six digits; `amount` is in whole dong.

    Without an amount or a memo the payer types them.
    """

    bin: str
    account: str
    amount: int | None = None
    memo: str | None = None
    service: str = TO_ACCOUNT


def payload(transfer: Transfer) -> str:
    """The text of the code. Raises BadPayload where no bank would read it."""
    _demand(_BIN, transfer.bin, "The bank is six digits.")
    _demand(_ACCOUNT, transfer.account, "The account is 1 to 19 letters and digits.")
    if transfer.service not in {TO_ACCOUNT, TO_CARD}:
        raise BadPayload("The service is none of account and card.")
    if transfer.memo is not None:
        _demand(_MEMO, transfer.memo, "The memo is 1 to 19 capital letters and digits.")
    amount = None if transfer.amount is None else str(transfer.amount)
    if amount is not None:
        _demand(_AMOUNT, amount, "The amount is 1 to 13 digits of whole dong.")
    payee = _object("00", transfer.bin) + _object("01", transfer.account)
    text = "".join(
        (
            _object(FORMAT, "01"),
            _object(METHOD, DYNAMIC if amount else STATIC),
            _object(
                BENEFICIARY,
                _object("00", NAPAS) + _object("01", payee) + _object("02", transfer.service),
            ),
            _object(CURRENCY, DONG),
            _object(AMOUNT, amount) if amount else "",
            _object(COUNTRY, "VN"),
            _object(MORE, _object(PURPOSE, transfer.memo)) if transfer.memo else "",
            f"{CHECKSUM}04",
        )
    )
    return text + checksum(text)


def checksum(text: str) -> str:
    """CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF, four hex digits."""
    return f"{binascii.crc_hqx(text.encode('ascii'), 0xFFFF):04X}"


def read_payload(text: str) -> Transfer:
    """The transfer that a code asks for. Raises BadPayload, saying what is wrong with it."""
    outer = read_objects(text)
    if outer.get(CURRENCY) != DONG or outer.get(COUNTRY) != "VN":
        raise BadPayload("It is not for dong in Vietnam.")
    if outer.get(METHOD, STATIC) not in {STATIC, DYNAMIC}:
        raise BadPayload("It is neither static nor dynamic.")
    beneficiary = _objects(outer.get(BENEFICIARY, ""))
    payee = _objects(beneficiary.get("01", ""))
    if beneficiary.get("00") != NAPAS or not payee:
        raise BadPayload("It names no account.")
    account, service = payee.get("01", ""), beneficiary.get("02", "")
    _demand(_BIN, payee.get("00", ""), "It names no bank.")
    _demand(_ACCOUNT, account, "It names no account.")
    if service not in {TO_ACCOUNT, TO_CARD}:
        raise BadPayload("It is no transfer to an account or a card.")
    amount = outer.get(AMOUNT)
    if amount is not None:
        _demand(_AMOUNT, amount, "The amount is not in whole dong.")
    return Transfer(
        bin=payee["00"],
        account=account,
        amount=None if amount is None else int(amount),
        memo=_objects(outer.get(MORE, "")).get(PURPOSE),
        service=service,
    )


def read_objects(text: str) -> dict[str, str]:
    """The outer objects of any EMVCo code, its lengths and its CRC checked. Raises BadPayload."""
    if len(text) > MOST_TEXT or not text.isascii() or not text.isprintable():
        raise BadPayload("It is not a short text of printable ASCII.")
    # Capitals or not: readers take both, and codes with small letters are about.
    if text[-8:-4] != f"{CHECKSUM}04" or text[-4:].upper() != checksum(text[:-4]):
        raise BadPayload("Its checksum is wrong.")
    objects = _objects(text)
    tags = list(objects)
    if (tags[0], objects[tags[0]]) != (FORMAT, "01") or (tags[-1], len(text[-4:])) != (CHECKSUM, 4):
        raise BadPayload("It does not begin and end as a payment code does.")
    return objects


def _objects(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    while text:
        tag, length, rest = text[:2], text[2:4], text[4:]
        if not (tag.isdigit() and length.isdigit() and 0 < int(length) <= len(rest)):
            raise BadPayload("A length in it is wrong.")
        if tag in found:
            raise BadPayload("It says the same thing twice.")
        found[tag], text = rest[: int(length)], rest[int(length) :]
    return found


def _object(tag: str, value: str) -> str:
    return f"{tag}{len(value):02d}{value}"


def _demand(pattern: re.Pattern[str], value: str, otherwise: str) -> None:
    if not pattern.fullmatch(value):
        raise BadPayload(otherwise)
