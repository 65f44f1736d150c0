"""Every call of the API, with the schemas of its body and its answers."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import BaseModel

from payments.api import schemas as s
from payments.api import schemas_wallet as wallet
from payments.api import schemas_webhooks as hooks
from payments.api import schemas_withdrawals as w


class Operation(NamedTuple):
    method: str
    path: str
    summary: str
    body: type[BaseModel] | None
    answers: dict[int, type[BaseModel]]
    asks: tuple[str, ...] = ()
    open_to_all: bool = False


OPERATIONS = (
    Operation(
        "post",
        "/api/v1/auth/token",
        "A person's password for a JWT",
        s.Credentials,
        {200: s.Token},
        open_to_all=True,
    ),
    Operation("post", "/api/v1/orders", "Open an order", s.OrderIn, {201: s.OrderOut}),
    Operation(
        "get",
        "/api/v1/orders",
        "List orders, newest first",
        None,
        {200: s.OrderList},
        asks=("status", "customer_id", "search", "cursor", "limit"),
    ),
    Operation("get", "/api/v1/orders/{order_id}", "One order", None, {200: s.OrderOut}),
    Operation(
        "get",
        "/api/v1/orders/{order_id}/events",
        "What a page missed since a version",
        None,
        {200: s.Events},
        asks=("after",),
    ),
    Operation(
        "post",
        "/api/v1/orders/{order_id}/payments",
        "Start to pay an order",
        s.PaymentIn,
        {201: s.PaymentOut},
    ),
    Operation("get", "/api/v1/wallet", "The person's balances", None, {200: wallet.WalletOut}),
    Operation(
        "get",
        "/api/v1/wallet/events",
        "What a wallet's page missed since a version",
        None,
        {200: wallet.WalletEvents},
        asks=("after",),
    ),
    Operation(
        "get",
        "/api/v1/wallet/entries",
        "The person's statement, newest first",
        None,
        {200: wallet.EntryList},
        asks=("currency", "from", "to", "kind", "cursor", "limit"),
    ),
    Operation(
        "post",
        "/api/v1/payment/deposit",
        "Top up the person's wallet",
        wallet.DepositIn,
        {201: wallet.DepositOut},
    ),
    Operation(
        "post",
        "/api/v1/payment/confirm-deposit",
        "Confirm a deposit whose money staff have seen",
        w.ConfirmDepositIn,
        {200: w.DepositConfirmed, 202: w.DepositHeld},
    ),
    Operation(
        "post",
        "/api/v1/payment/withdraw",
        "Take money out of the person's wallet",
        w.WithdrawIn,
        {201: w.WithdrawOut},
    ),
    Operation(
        "get",
        "/api/v1/withdrawals",
        "The person's withdrawals, newest first; everybody's for staff",
        None,
        {200: w.WithdrawalList},
        asks=("cursor", "limit"),
    ),
    Operation(
        "post",
        "/api/v1/withdrawals/{withdrawal_id}/settle",
        "Say that a withdrawal was sent",
        w.SettleIn,
        {200: w.WithdrawalOut},
    ),
    Operation(
        "post",
        "/api/v1/withdrawals/{withdrawal_id}/fail",
        "Give a withdrawal's money back",
        w.FailIn,
        {200: w.WithdrawalOut},
    ),
    Operation("get", "/api/v1/cards", "The person's saved cards", None, {200: wallet.CardList}),
    Operation(
        "patch",
        "/api/v1/cards/{token_id}",
        "Name a saved card",
        wallet.CardIn,
        {200: wallet.CardOut},
    ),
    Operation(
        "delete", "/api/v1/cards/{token_id}", "Remove a saved card", None, {200: wallet.CardOut}
    ),
    Operation(
        "post",
        "/api/v1/orders/{order_id}/confirm",
        "Confirm money that staff have seen",
        s.ConfirmIn,
        {200: s.Confirmed, 202: s.Held},
    ),
    Operation(
        "post",
        "/api/v1/confirmations/{confirmation_id}/approve",
        "Agree to another person's confirmation",
        None,
        {200: s.Confirmed},
    ),
    Operation(
        "post",
        "/api/v1/confirmations/{confirmation_id}/decline",
        "Turn down a confirmation that waits",
        s.DeclineIn,
        {200: s.Declined},
    ),
    Operation(
        "post", "/api/v1/orders/{order_id}/cancel", "Cancel an order", s.CancelIn, {200: s.OrderOut}
    ),
    Operation(
        "post",
        "/api/v1/orders/{order_id}/refunds",
        "Give money back",
        s.RefundIn,
        {201: s.RefundList},
    ),
    Operation(
        "post",
        "/api/v1/webhook-endpoints",
        "Have a system of yours told what happens",
        hooks.EndpointIn,
        {201: hooks.EndpointMade},
    ),
    Operation(
        "get",
        "/api/v1/webhook-endpoints",
        "Who is told, newest first",
        None,
        {200: hooks.EndpointList},
        asks=("cursor", "limit"),
    ),
    Operation(
        "patch",
        "/api/v1/webhook-endpoints/{endpoint_id}",
        "Change an endpoint, disable it or enable it again",
        hooks.EndpointChanges,
        {200: hooks.EndpointOut},
    ),
    Operation(
        "delete",
        "/api/v1/webhook-endpoints/{endpoint_id}",
        "Remove an endpoint with all its deliveries",
        None,
        {200: hooks.EndpointOut},
    ),
    Operation(
        "post",
        "/api/v1/webhook-endpoints/{endpoint_id}/rotate",
        "A new secret; both sign for 24 hours",
        None,
        {200: hooks.EndpointRotated},
    ),
    Operation(
        "post",
        "/api/v1/webhook-endpoints/{endpoint_id}/recover",
        "Send again what an endpoint has not taken",
        hooks.RecoverIn,
        {200: hooks.RecoverOut},
    ),
    Operation(
        "get",
        "/api/v1/webhook-deliveries",
        "What was sent, newest first",
        None,
        {200: hooks.DeliveryList},
        asks=("endpoint_id", "status", "cursor", "limit"),
    ),
    Operation(
        "post",
        "/api/v1/webhook-deliveries/{delivery_id}/redeliver",
        "Send a message once more",
        None,
        {201: hooks.DeliveryOut},
    ),
)
"""Every call of the API; a test holds it against the routes."""
