"""The staff's pages: what waits, one order whole, what cannot be matched.

The rights are the services'.
"""

from payments.staff import actions, hooks, pages, unmatched, withdrawals
from payments.staff.blueprint import staff

__all__ = ["actions", "hooks", "pages", "staff", "unmatched", "withdrawals"]
