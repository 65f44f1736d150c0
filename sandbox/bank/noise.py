"""What banks make of a memo on its way: the presets that a person can choose from.

The forms are those of real statement lines (Pay2S's sample, memos in public integration code).
"""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

MOST_MEMO = 210
"""NAPAS cuts a memo there."""


@dataclass(frozen=True)
class Noise:
    """`whole`: whether the shop's reference is still in it, so that the shop can know it again."""

    key: str
    label: str
    whole: bool
    make: Callable[[str], str]


NOISES = (
    Noise("none", "As it was typed", True, lambda memo: memo),
    Noise(
        *("bank", "A bank's words around it", True),
        lambda memo: (
            f"MBVCB.3278907687.{memo}.CT tu 0987654321 NGUYEN THI MAI toi tai khoan tai Vietcombank"
        ),
    ),
    Noise(
        *("after", "A number and a time after it", True),
        lambda memo: f"{memo} GD 789604-040125 00:05:38",
    ),
    Noise("lower", "In small letters", True, str.lower),
    Noise(
        *("accents", "The payer's own words, with accents", True),
        lambda memo: f"Thanh toán đơn hàng {memo} cảm ơn shop ạ",
    ),
    Noise("joined", "Without spaces", True, lambda memo: f"CHUYENTIEN{memo}FT26324001122"),
    Noise("split", "Broken by a space", False, lambda memo: f"{memo[:6]} {memo[6:]}"),
    Noise("cut", "Cut off", False, lambda memo: memo[:10]),
    Noise("lost", "Dropped", False, lambda memo: "chuyen tien"),
)

BY_KEY = {one.key: one for one in NOISES}


def plain(text: str) -> str:
    """As most banks pass a memo on: without signs and accents."""
    folded = unicodedata.normalize("NFKD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in folded if " " <= letter <= "~")
