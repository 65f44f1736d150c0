"""References of ours in the text of a transfer, whatever a bank has put around them.

A reference is `P` and 14 characters of an alphabet without look-alikes: 69 random bits. By chance
no other text holds one that is ours, so it is found even where a bank has dropped the spaces; but
it has to be there whole. Case does not count: banks change it.
"""

from __future__ import annotations

import re

LONGEST_TEXT = 1_000
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH = 15
MOST = 50

_CANDIDATE = re.compile(rf"(?=(P[{ALPHABET}]{{{LENGTH - 1}}}))")


def references_in(text: str) -> tuple[str, ...]:
    """Every piece of the text that has the form of a reference, overlapping ones included."""
    found = _CANDIDATE.findall(text[:LONGEST_TEXT].upper())
    return tuple(dict.fromkeys(found))[:MOST]
