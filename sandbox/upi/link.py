"""`upi://pay` links, written and read strictly. (NPCI, UPI Linking Specification 1.6.)"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlsplit

ADDRESS = re.compile(r"[A-Za-z0-9._-]{2,256}@[A-Za-z][A-Za-z0-9]{1,63}")
AMOUNT = re.compile(r"[1-9][0-9]{0,9}\.[0-9]{2}|0\.[0-9]{2}")
# Apps of several banks refuse a link whose reference holds anything else.
REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,35}")
MOST_NOTE = 80
MOST_PAISE = 100_000_00


@dataclass(frozen=True)
class Asked:
    """What a link asks for; `paise` None where the payer sets the amount."""

    vpa: str
    payee: str
    reference: str
    note: str
    paise: int | None


def upi_link(**fields: str) -> str:
    return "upi://pay?" + "&".join(
        f"{name}={quote(text, safe='@')}" for name, text in fields.items()
    )


def read_link(text: str) -> Asked:
    """ValueError says, in words for the payer, why an app would not take it."""
    parts = urlsplit(text)
    if parts.scheme != "upi" or parts.netloc != "pay" or parts.path or parts.fragment:
        raise ValueError("This is not a UPI payment link.")
    if "+" in parts.query or not parts.query.isascii() or " " in parts.query:
        raise ValueError("This link is not encoded as UPI apps read it.")
    pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True, errors="strict")
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("This link says something twice.")
    if not ADDRESS.fullmatch(fields.get("pa", "")) or not fields.get("pn", "").strip():
        raise ValueError("This link does not say whom to pay.")
    if fields.get("cu", "INR") != "INR":
        raise ValueError("UPI pays rupees only.")
    reference = fields.get("tr", "")
    if reference and not REFERENCE.fullmatch(reference):
        raise ValueError("The reference of this link holds what UPI apps refuse.")
    if len(fields.get("tn", "")) > MOST_NOTE:
        raise ValueError("The note of this link is too long.")
    return Asked(fields["pa"], fields["pn"], reference, fields.get("tn", ""), _paise(fields))


def _paise(fields: dict[str, str]) -> int | None:
    said = fields.get("am")
    if said is None:
        return None
    if not AMOUNT.fullmatch(said) or not 0 < int(said.replace(".", "")) <= MOST_PAISE:
        raise ValueError("UPI cannot pay this amount at once.")
    return int(said.replace(".", ""))


def rupees(paise: int) -> str:
    """As a link has it: `649.00`."""
    return f"{paise // 100}.{paise % 100:02d}"


def rupees_shown(paise: int) -> str:
    """As a page has it: `₹1,649.00`."""
    return f"₹{paise // 100:,}.{paise % 100:02d}"
