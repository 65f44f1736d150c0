"""Choices that look random and can be had again: functions of the seed and of what each is for.

Drawing from one stream would make a payment's number depend on how many came before it, and a
restart with the same seed would give numbers away twice.
"""

import hashlib
import secrets
import string

LETTERS = string.ascii_letters + string.digits


class Chance:
    def __init__(self, seed: int | None) -> None:
        self._seed = secrets.randbits(64) if seed is None else seed

    def number(self, purpose: str, subject: str, low: int, high: int) -> int:
        """A whole number in [low, high)."""
        material = f"{self._seed}/{purpose}/{subject}".encode()
        return low + int.from_bytes(hashlib.sha256(material).digest()) % (high - low)

    def one_in(self, times: int, purpose: str, subject: str) -> bool:
        return self.number(purpose, subject, 0, times) == 0

    def letters(self, count: int, purpose: str, subject: str) -> str:
        """`count` letters and digits."""
        draws = (
            self.number(f"{purpose}{place}", subject, 0, len(LETTERS)) for place in range(count)
        )
        return "".join(LETTERS[draw] for draw in draws)
