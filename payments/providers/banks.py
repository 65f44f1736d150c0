"""The banks and wallets of Vietnam that a VietQR can name, by the six digits (BIN) that name them.

From the list of the package vietnam-qr-pay 1.5.1: 62 rows, one of them without a BIN. Where two
names have one BIN, the bank's present name stands here: LPBank was LienVietPostBank, MBV was
OceanBank, Vikki Bank was DongA Bank.
"""

from __future__ import annotations

from typing import NamedTuple


class BankName(NamedTuple):
    """`code` is the short code that Vietnamese services use; `name` is what customers call it."""

    code: str
    name: str


BANKS: dict[str, BankName] = {
    "422589": BankName("CIMB", "CIMB Bank"),
    "458761": BankName("HSBC", "HSBC Vietnam"),
    "546034": BankName("CAKE", "CAKE by VPBank"),
    "546035": BankName("UBANK", "Ubank by VPBank"),
    "668888": BankName("KBANK", "Kasikornbank"),
    "796500": BankName("DBS", "DBS Bank"),
    "801011": BankName("NONGHYUP", "Nonghyup Bank"),
    "963369": BankName("LIOBANK", "Liobank"),
    "963388": BankName("TIMO", "Timo"),
    "970400": BankName("SGB", "SaigonBank"),
    "970403": BankName("STB", "Sacombank"),
    "970405": BankName("AGRIBANK", "Agribank"),
    "970406": BankName("VIKKI", "Vikki Bank"),
    "970407": BankName("TCB", "Techcombank"),
    "970408": BankName("GPBANK", "GPBank"),
    "970409": BankName("BAB", "BacA Bank"),
    "970410": BankName("SC", "Standard Chartered Vietnam"),
    "970412": BankName("PVCOMBANK", "PVcomBank"),
    "970414": BankName("MBV", "MBV"),
    "970415": BankName("CTG", "VietinBank"),
    "970416": BankName("ACB", "ACB"),
    "970418": BankName("BID", "BIDV"),
    "970419": BankName("NVB", "NCB Bank"),
    "970421": BankName("VRB", "VietNgaBank"),
    "970422": BankName("MBB", "MB Bank"),
    "970423": BankName("TPB", "TPBank"),
    "970424": BankName("SVB", "Shinhan Bank"),
    "970425": BankName("ABB", "AB Bank"),
    "970426": BankName("MSB", "MSB"),
    "970427": BankName("VAB", "VietABank"),
    "970428": BankName("NAB", "Nam A Bank"),
    "970429": BankName("SCB", "SCB"),
    "970430": BankName("PGB", "PG Bank"),
    "970431": BankName("EIB", "Eximbank"),
    "970432": BankName("VPB", "VPBank"),
    "970433": BankName("VBB", "VietBank"),
    "970434": BankName("IVB", "Indovina Bank"),
    "970436": BankName("VCB", "Vietcombank"),
    "970437": BankName("HDB", "HDBank"),
    "970438": BankName("BAOVIETBANK", "BaoViet Bank"),
    "970439": BankName("PBVN", "Public Bank Vietnam"),
    "970440": BankName("SSB", "SeABank"),
    "970441": BankName("VIB", "VIB"),
    "970442": BankName("HLB", "HongLeong Bank"),
    "970443": BankName("SHB", "SHB"),
    "970444": BankName("VNCB", "CB Bank"),
    "970446": BankName("COOPBANK", "Co-op Bank"),
    "970448": BankName("OCB", "OCB Bank"),
    "970449": BankName("LPB", "LPBank"),
    "970452": BankName("KLB", "KienlongBank"),
    "970454": BankName("BVB", "BVBank"),
    "970455": BankName("IBKHN", "IBK HN"),
    "970456": BankName("IBKHCM", "IBK HCM"),
    "970457": BankName("WRB", "Woori Bank"),
    "970458": BankName("UOB", "United Overseas Bank Vietnam"),
    "970462": BankName("KBHN", "Kookmin Bank HN"),
    "970463": BankName("KBHCM", "Kookmin Bank HCM"),
    "971025": BankName("MOMO", "MoMo"),
}


def bank_name(bin: str) -> str:
    """What customers call the bank; the BIN itself where the list does not have it."""
    return BANKS[bin].name if bin in BANKS else bin
