"""The bodies of the calls about webhooks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StrictBool, StrictStr

from payments.api.schemas import Strict
from payments.domain.addresses import LONGEST
from payments.domain.webhooks import EVENTS

Address = Annotated[StrictStr, Field(min_length=1, max_length=LONGEST)]
Events = Annotated[
    list[Annotated[StrictStr, Field(max_length=64)]],
    Field(max_length=64, description=f"of {', '.join(EVENTS)}; empty: all"),
]


class EndpointIn(Strict):
    url: Address
    events: Events | None = None


class EndpointChanges(Strict):
    """What is left out stays."""

    url: Address | None = None
    events: Events | None = None
    enabled: StrictBool | None = None


class EndpointOut(BaseModel):
    id: str
    url: str
    events: list[str] = Field(description="empty: all")
    enabled: bool
    disabled_why: Literal["by_staff", "gone", "failing"] | None
    failing_since: str | None
    created_at: str


class EndpointMade(EndpointOut):
    secret: str = Field(description="whsec_..., shown this once")


class EndpointRotated(EndpointMade):
    previous_until: str = Field(description="until then the secret before signs too")


class EndpointList(BaseModel):
    data: list[EndpointOut]
    next_cursor: str | None


class RecoverIn(Strict):
    since: Annotated[StrictStr, Field(max_length=40, description="ISO 8601, in the last 30 days")]


class RecoverOut(BaseModel):
    messages: int = Field(description="how many are sent again")


class DeliveryOut(BaseModel):
    id: str
    endpoint_id: str
    webhook_id: str = Field(description="the same for each delivery of one message")
    event: str
    status: Literal["waiting", "delivered", "failed"]
    tries: int
    created_at: str
    tried_at: str | None
    next_try_at: str | None
    ended_at: str | None
    answer_status: int | None
    answer_body: str | None = Field(description="its beginning, 4 kB at most")
    fault: str | None = Field(description="why no answer came")
    payload: dict[str, Any] | None = Field(description="what is sent; null once it is forgotten")


class DeliveryList(BaseModel):
    data: list[DeliveryOut]
    next_cursor: str | None
