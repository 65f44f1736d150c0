"""The tables. Their constraints make the wrong thing impossible; the code above only explains it.

A double credit would need a second row with the same (provider, event id), the same (provider,
transaction id) or the same posting cause: each is unique here.
"""

from payments.store.tables.books import entries, postings, seals, wallets, withdrawals
from payments.store.tables.columns import Amount, Moment, Serial, one_of, waiting
from payments.store.tables.inbox import bank_lines, inbox
from payments.store.tables.orders import confirmations, orders, payments, refunds
from payments.store.tables.outbox import audit, idempotency_keys, outbox, sightings, topics
from payments.store.tables.people import ROLES, api_keys, card_holders, logins, users
from payments.store.tables.processes import leases, room_counts
from payments.store.tables.webhooks import webhook_deliveries, webhook_endpoints

__all__ = [
    "ROLES",
    "Amount",
    "Moment",
    "Serial",
    "api_keys",
    "audit",
    "bank_lines",
    "card_holders",
    "confirmations",
    "entries",
    "idempotency_keys",
    "inbox",
    "leases",
    "logins",
    "one_of",
    "orders",
    "outbox",
    "payments",
    "postings",
    "refunds",
    "room_counts",
    "seals",
    "sightings",
    "topics",
    "users",
    "waiting",
    "wallets",
    "webhook_deliveries",
    "webhook_endpoints",
    "withdrawals",
]
