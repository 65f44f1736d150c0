"""The number of a UPI payment, which apps call UTR or UPI Ref No and banks RRN."""

from datetime import UTC, datetime

from ..chance import Chance


def new_utr(chance: Chance, subject: str) -> str:
    """12 digits: the last of the year, the day of the year, the hour, and six more."""
    now = datetime.now(UTC)
    return f"{now:%Y}"[-1] + f"{now:%j%H}" + f"{chance.number('utr', subject, 0, 10**6):06d}"
