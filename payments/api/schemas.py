"""The bodies of the API's calls, as they are checked and as OpenAPI tells them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr


class Strict(BaseModel):
    """Nothing is converted: "100" is not 100 where money is spoken of."""

    model_config = ConfigDict(strict=True, extra="ignore")


Text64 = Annotated[StrictStr, Field(min_length=1, max_length=64)]
WebAddress = Annotated[StrictStr, Field(max_length=2000, pattern=r"^https?://[^\s\x00-\x1f]+$")]


def _addressable(order_id: str) -> str:
    """`.` and `..` are folders to a browser: their checkout pages could not be reached."""
    if order_id in {".", ".."}:
        raise ValueError("An id is more than points.")
    return order_id


OrderId = Annotated[
    StrictStr, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$"), AfterValidator(_addressable)
]


class Credentials(Strict):
    email: StrictStr = Field(max_length=254)
    password: StrictStr = Field(max_length=1000)


class Token(BaseModel):
    token: str
    expires_in: int = Field(description="seconds")


class Customer(Strict):
    id: Text64 | None = None
    email: Annotated[StrictStr, Field(max_length=254)] | None = None
    name: Annotated[StrictStr, Field(max_length=200)] | None = None


class OrderIn(Strict):
    amount: StrictInt = Field(description="whole minor units of the currency")
    currency: StrictStr = Field(description="ISO 4217")
    description: StrictStr = Field(min_length=1, max_length=500)
    id: OrderId | None = None
    customer: Customer | None = None
    salon_id: Text64 | None = None
    return_url: WebAddress | None = None
    metadata: dict[str, Any] | None = None
    expires_in: Annotated[StrictInt, Field(ge=5, le=30 * 86400)] | None = None


class Action(BaseModel):
    type: Literal["redirect", "qr", "ussd", "none"]
    url: str | None = None
    fields: dict[str, str] | None = Field(
        None, description="where there are any, the browser sends them to `url` by POST"
    )
    qr: str | None = Field(None, description="the text of the code, not a picture")
    deeplink: str | None = None
    ussd_code: str | None = None
    details: dict[str, str] | None = Field(
        None, description="what one may have to type by hand, by name: bank, account, memo, vpa"
    )


class PaymentOut(BaseModel):
    reference: str
    provider: str
    status: Literal["created", "pending", "succeeded", "failed", "expired", "cancelled"]
    amount: int
    amount_received: int
    currency: str
    action: Action | None
    provider_transaction_id: str | None
    failure_code: str | None
    created_at: str


OrderStatusWord = Literal[
    "pending", "partially_paid", "paid", "expired", "cancelled", "refunded", "partially_refunded"
]


class OrderOut(BaseModel):
    id: str
    status: OrderStatusWord
    display: str
    version: int
    amount: int
    amount_paid: int
    amount_due: int
    amount_refunded: int
    excess: int = Field(description="held because nobody has a wallet for it")
    credited: int = Field(description="gone to the customer's wallet")
    purpose: Literal["sale", "deposit"]
    currency: str
    description: str
    late: bool
    salon_id: str | None
    return_url: str | None
    metadata: dict[str, Any]
    created_at: str
    expires_at: str
    settled_at: str | None
    payment: PaymentOut | None
    checkout_url: str
    watch_token: str


class OrderList(BaseModel):
    data: list[OrderOut]
    next_cursor: str | None


class EventOut(BaseModel):
    version: int
    event: str
    at: str


class Events(BaseModel):
    version: int
    snapshot: OrderOut
    events: list[EventOut]


class PaymentIn(Strict):
    provider: StrictStr = Field(max_length=32)
    phone: Annotated[StrictStr, Field(max_length=32)] | None = None
    email: Annotated[StrictStr, Field(max_length=254)] | None = None
    name: Annotated[StrictStr, Field(max_length=200)] | None = None
    return_url: WebAddress | None = None
    save_card: StrictBool | None = Field(None, description="keep the card for the signed-in payer")
    token_id: Annotated[StrictStr, Field(min_length=1, max_length=128)] | None = Field(
        None, description="pay with this kept card of one's own"
    )
    amount: StrictInt | None = Field(
        None, description="with provider `wallet`: this part of what is due, in minor units"
    )


class InitiateIn(Strict):
    """In the names of the frontends that send it."""

    orderId: OrderId  # noqa: N815
    phone: Annotated[StrictStr, Field(max_length=32)] | None = None
    phoneNumber: Annotated[StrictStr, Field(max_length=32)] | None = None  # noqa: N815
    provider: Annotated[StrictStr, Field(max_length=32)] | None = None
    amount: StrictInt | None = None
    currency: StrictStr | None = None


class SimulateIn(Strict):
    orderId: OrderId | None = None  # noqa: N815
    reference: Text64 | None = None
    status: Annotated[
        StrictStr, Field(pattern=r"^(?i:success|successful|failed|pending)$", max_length=10)
    ]


class ConfirmIn(Strict):
    amount: StrictInt
    reason: StrictStr = Field(max_length=500)
    evidence: StrictStr = Field(max_length=100)


class Confirmed(OrderOut):
    confirmation_id: str


class Held(BaseModel):
    """Above the limit: nothing is paid until another person agrees."""

    confirmation_id: str
    status: Literal["held"]


class DeclineIn(Strict):
    reason: StrictStr = Field(max_length=500)


class Declined(BaseModel):
    """Nothing was booked; its evidence may be used again."""

    confirmation_id: str
    order_id: str
    status: Literal["declined"]


class CancelIn(Strict):
    reason: StrictStr = Field("Cancelled by the shop", max_length=500)


class RefundIn(Strict):
    amount: StrictInt | None = None
    reason: StrictStr = Field(max_length=500)
    to: Literal["source", "wallet"] = Field(
        "source", description="`wallet`: into the customer's balance here, at once"
    )


class RefundOut(BaseModel):
    id: str
    reference: str
    status: Literal["requested", "succeeded", "failed"]
    amount: int
    currency: str
    reason: str


class RefundList(BaseModel):
    data: list[RefundOut]


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    field: str | None = None
