"""The bodies of calls about money that leaves a wallet, and about deposits that people confirm."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StrictBool, StrictInt, StrictStr

from payments.api.schemas import Strict, Text64

Destination = Annotated[StrictStr, Field(max_length=100)]


class WithdrawIn(Strict):
    amount: StrictInt = Field(description="whole minor units of the currency; the fee is on top")
    destination: Destination | dict[Text64, Destination] = Field(
        description="a phone or an account number, or fields: `phone`; `account`, `bank_bin`, "
        "`name`; `vpa`; `account`, `ifsc`; else `account`, `bank`, `branch`, `name`"
    )
    currency: StrictStr | None = Field(
        None, description="ISO 4217; may be left out by a person with one balance"
    )
    password: Annotated[StrictStr, Field(max_length=1000)] | None = Field(
        None, description="again, above the shop's limit"
    )


class WithdrawOut(BaseModel):
    transactionId: str = Field(description="the withdrawal's id")  # noqa: N815
    status: Literal["pending", "completed", "failed"]
    amount: int
    fee: int
    currency: str
    newBalance: int  # noqa: N815


class WithdrawalOut(BaseModel):
    id: str
    user_id: str
    status: Literal["held", "settled", "returned"]
    amount: int
    fee: int
    currency: str
    provider: str | None = Field(description="the rail that sends it; null: staff do")
    provider_payout_id: str | None
    destination: dict[str, str]
    evidence: str | None
    reason: str | None = Field(description="why it came back")
    created_at: str
    ended_at: str | None


class WithdrawalList(BaseModel):
    data: list[WithdrawalOut]
    next_cursor: str | None


class SettleIn(Strict):
    evidence: StrictStr = Field(max_length=100, description="the bank's number of the transfer")


class FailIn(Strict):
    reason: StrictStr = Field(max_length=500)
    not_sent: StrictBool = Field(
        False, description="its provider was asked to send it, and staff know that it did not"
    )


class ConfirmDepositIn(Strict):
    transactionId: Text64  # noqa: N815
    amount: StrictInt | None = Field(None, description="all that is still missing, unless said")
    reason: Annotated[StrictStr, Field(max_length=500)] | None = None
    evidence: Annotated[StrictStr, Field(max_length=100)] | None = None


class DepositConfirmed(BaseModel):
    transactionId: str  # noqa: N815
    status: Literal["pending", "completed", "failed", "cancelled"]
    amount: int
    currency: str
    newBalance: int  # noqa: N815


class DepositHeld(BaseModel):
    """Above the limit: nothing is credited until another person agrees."""

    transactionId: str  # noqa: N815
    confirmation_id: str
    status: Literal["held"]
