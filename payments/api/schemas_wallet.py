"""Bodies and answers of the wallet: deposits, balances, what moved, saved cards."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StrictInt, StrictStr

from payments.api.schemas import EventOut, Strict


class DepositIn(Strict):
    amount: StrictInt = Field(description="whole minor units of the currency")
    provider: StrictStr = Field(max_length=32)
    currency: StrictStr | None = Field(
        None, description="ISO 4217; may be left out where the provider takes one alone"
    )
    phone: Annotated[StrictStr, Field(max_length=32)] | None = None


class DepositOut(BaseModel):
    transactionId: str = Field(description="the attempt's reference and the deposit's order id")  # noqa: N815
    paymentUrl: str = Field(  # noqa: N815
        description="where to pay: the provider's page, or the deposit's own with its code"
    )
    qrCode: str | None = Field(None, description="the text of the code, not a picture")  # noqa: N815
    ussdCode: str | None = None  # noqa: N815
    status: Literal["pending", "completed", "failed", "cancelled"]


class Balance(BaseModel):
    currency: str
    amount: int


class WalletOut(BaseModel):
    balances: list[Balance]
    version: int


class WalletEvent(EventOut):
    """What is about money says more than what is about a card."""

    transaction_id: str | None = None
    transaction_type: Literal["deposit", "payment", "refund", "withdrawal"] | None = None
    status: Literal["pending", "completed", "failed", "cancelled"] | None = None
    amount: int | None = None
    currency: str | None = None
    message: str | None = Field(None, description="in the person's language")


class WalletEvents(BaseModel):
    version: int
    snapshot: WalletOut
    events: list[WalletEvent]


class EntryOut(BaseModel):
    id: str
    at: str
    kind: Literal[
        "deposit",
        "payment",
        "excess",
        "refund",
        "withdrawal",
        "withdrawal_returned",
        "other",
    ]
    amount: int = Field(description="above zero: it came in")
    fee: int = Field(description="the part of a withdrawal's amount that is its fee")
    currency: str
    balance: int = Field(description="of this currency, after it")
    reference: str = Field(description="of the attempt, the refund or the withdrawal")
    order_id: str | None
    description: str | None = Field(description="the order's")


class EntryList(BaseModel):
    data: list[EntryOut]
    next_cursor: str | None


class CardIn(Strict):
    nickname: Annotated[StrictStr, Field(max_length=100)]


class CardOut(BaseModel):
    token_id: str
    masked_number: str
    scheme: str
    expiry: str
    nickname: str


class CardList(BaseModel):
    data: list[CardOut]
    next_cursor: str | None
