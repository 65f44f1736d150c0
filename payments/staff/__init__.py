"""The staff's pages: what waits, one order whole, what cannot be matched.

The rights are the services'.
"""

from payments.staff import actions, pages, unmatched
from payments.staff.blueprint import staff

__all__ = ["actions", "pages", "staff", "unmatched"]
