"""`wallet`: what happens to one person's money, told in a room that only they are in.

The texts of `message` are made with the fact, in the person's own language.
"""

from __future__ import annotations

from payments.dialects.reading import persons_room, room_of_person, said_at
from payments.dialects.record import Dialect, Payload, Told
from payments.domain.facts import Fact


def _moved(fact: Fact) -> Payload:
    return {
        "transactionId": fact.about["transaction_id"],
        "amount": fact.about["amount"],
        "currency": fact.about.get("currency"),
        "message": fact.about["message"],
        "version": fact.version,
        "timestamp": said_at(fact),
    }


def _deposited(fact: Fact, _sent_at: str) -> Payload:
    told = {
        "type": "deposit_completed",
        **_moved(fact),
        "newBalance": fact.about["new_balance"],
    }
    provider_id = fact.about.get("provider_transaction_id")
    return {**told, "providerTransactionId": provider_id} if provider_id else told


def _withdrawn(fact: Fact, _sent_at: str) -> Payload:
    return {
        "type": "withdrawal_completed",
        **_moved(fact),
        "newBalance": fact.about["new_balance"],
    }


def _status(fact: Fact, _sent_at: str) -> Payload:
    told = {
        "type": "payment_status_update",
        **_moved(fact),
        "status": fact.about["status"],
        "transactionType": fact.about["transaction_type"],
    }
    metadata = fact.about.get("metadata")
    return {**told, "metadata": metadata} if metadata else told


DEPOSITED = Told("deposit_completed:v1", persons_room, _deposited)
WITHDRAWN = Told("withdrawal_completed:v1", persons_room, _withdrawn)
STATUS = Told("payment_status_update:v1", persons_room, _status)

WALLET = Dialect(
    name="wallet",
    facts={
        "wallet.deposited": (DEPOSITED,),
        "wallet.withdrawn": (WITHDRAWN,),
        "payment.status": (STATUS,),
    },
    own_room=room_of_person,
)
