"""The text of a VietQR, read and written as a bank does it (NAPAS profile of EMVCo)."""

from dataclasses import dataclass

from ..emv import crc16, tlv, with_crc

MOST_LETTERS = 1_000

# NAPAS gives each bank six digits; the code is what feeds call the bank.
BANKS = {
    "970436": ("VCB", "Vietcombank"),
    "970415": ("CTG", "VietinBank"),
    "970418": ("BID", "BIDV"),
    "970405": ("AGRIBANK", "Agribank"),
    "970407": ("TCB", "Techcombank"),
    "970422": ("MBB", "MB"),
    "970416": ("ACB", "ACB"),
    "970432": ("VPB", "VPBank"),
    "970423": ("TPB", "TPBank"),
    "970403": ("STB", "Sacombank"),
    "970437": ("HDB", "HDBank"),
    "970441": ("VIB", "VIB"),
    "970443": ("SHB", "SHB"),
    "970431": ("EIB", "Eximbank"),
    "970448": ("OCB", "OCB"),
    "970426": ("MSB", "MSB"),
    "970440": ("SSB", "SeABank"),
    "970449": ("LPB", "LPBank"),
}


class Unreadable(ValueError):
    """The app says that it cannot read the code."""


@dataclass(frozen=True)
class Scanned:
    """What the app shows after a scan. No amount, or an empty memo: the payer types it."""

    bin: str
    account: str
    amount: int | None
    memo: str

    @property
    def bank(self) -> str:
        return BANKS.get(self.bin, (self.bin, f"Bank {self.bin}"))[1]


def scan(text: str) -> Scanned:
    """Raises Unreadable, saying what a person can do about it."""
    text = text.strip()
    if not text.isascii() or not 20 <= len(text) <= MOST_LETTERS:
        raise Unreadable("This is not the text of a VietQR code.")
    if text[-8:-4] != "6304" or int_of(text[-4:], 16) != crc16(text[:-4].encode()):
        raise Unreadable("The code is damaged: its checksum does not fit.")
    outer = parts(text)
    payee = parts(parts(outer.get("38", "")).get("01", ""))
    if outer.get("53") != "704" or not payee.get("00") or not payee.get("01"):
        raise Unreadable("The code names no account in Vietnam.")
    amount = outer.get("54")
    if amount is not None and int_of(amount, 10) is None:
        raise Unreadable("The amount in the code is not in whole dong.")
    return Scanned(
        bin=payee["00"],
        account=payee["01"],
        amount=int(amount) if amount else None,
        memo=parts(outer.get("62", "")).get("08", ""),
    )


def write(bin: str, account: str, amount: int, memo: str) -> str:
    """The code of a transfer, as Pay2S's page shows it."""
    payee = tlv("00", bin) + tlv("01", account)
    return with_crc(
        tlv("00", "01")
        + tlv("01", "12")
        + tlv("38", tlv("00", "A000000727") + tlv("01", payee) + tlv("02", "QRIBFTTA"))
        + tlv("53", "704")
        + tlv("54", str(amount))
        + tlv("58", "VN")
        + tlv("62", tlv("08", memo))
    )


def parts(text: str) -> dict[str, str]:
    found = {}
    while text:
        length = int_of(text[2:4], 10)
        if length is None or len(text) < 4 + length:
            raise Unreadable("The code is damaged: a length in it does not fit.")
        found[text[:2]], text = text[4 : 4 + length], text[4 + length :]
    return found


def int_of(text: str, base: int) -> int | None:
    try:
        return int(text, base) if text.isalnum() else None
    except ValueError:
        return None
