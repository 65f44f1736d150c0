"""The payment providers, pretended: a Flask app of its own, for trying and testing without them.

It imports nothing of the application, so that it cannot share a mistake with the adapters that
are tested against it. Never reachable in production.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, render_template

from . import bank, campay, momo, payable, razorpay, upi
from .bank import BankKeys, GatewayKeys
from .campay import CampayKeys
from .chance import Chance
from .courier import Courier
from .momo import MomoKeys
from .pages import Kit, add_manners
from .payable import PayableKeys
from .razorpay import RazorpayKeys
from .store import Store
from .upi import UpiKeys

__all__ = [
    "BankKeys",
    "CampayKeys",
    "GatewayKeys",
    "MomoKeys",
    "PayableKeys",
    "RazorpayKeys",
    "UpiKeys",
    "create_sandbox",
]

MOST_BODY_BYTES = 64 * 1024

# How the pretended providers behave; change them in `app.config`.
KNOBS: dict[str, float] = {
    "IPN_TRIES": 5,  # of one callback, while the answer is not 2xx
    "IPN_BACKOFF_SECONDS": 0.5,  # before the second try; doubles from there
    "IPN_TIMEOUT_SECONDS": 15,  # MoMo docs, notification
    "ANSWER_SECONDS": 0,  # how long a create or a refund takes
    "CAMPAY_DEDUPES": 1,  # the same external_reference is the same transaction
    "CAMPAY_WITHDRAWS": 1,  # the app may send money
    "CAMPAY_PAYOUT_SECONDS": 1,  # until money that is sent arrives
}


@dataclass(frozen=True)
class Provider:
    """A row of the first page. `key` names its colours, `home` is the endpoint of its phone.

    `keys` is the type of what it needs to be mounted: its secrets and the merchant's addresses.
    """

    key: str
    label: str
    home: str
    about: str
    keys: type[Any]
    blueprint: Callable[[Kit, Any], Blueprint]


PROVIDERS: tuple[Provider, ...] = (
    Provider(
        *("momo", "MoMo", "momo.latest", "E-wallet, Vietnam, with its hosted payment page."),
        MomoKeys,
        momo.blueprint,
    ),
    Provider(
        *("bank", "Bank app", "bank.home", "Transfers by VietQR, and who tells the shop of them."),
        BankKeys,
        bank.blueprint,
    ),
    Provider(
        *("campay", "CamPay", "campay.latest", "Mobile money, Cameroon: prompts on phones."),
        CampayKeys,
        campay.blueprint,
    ),
    Provider(
        *("razorpay", "Razorpay", "razorpay.latest", "UPI, India: codes, links, orders."),
        RazorpayKeys,
        razorpay.blueprint,
    ),
    Provider(
        *("upi", "UPI app", "upi.latest", "Pays a shop's own UPI address, and tells it nothing."),
        UpiKeys,
        upi.blueprint,
    ),
    Provider(
        *("payable", "PAYable", "payable.latest", "Cards, Sri Lanka: a hosted page, kept cards."),
        PayableKeys,
        payable.blueprint,
    ),
)


def create_sandbox(
    public_url: str, state_path: str | None, keys: Sequence[Any], seed: int | None = None
) -> Flask:
    """The providers whose keys are given. `public_url`: the address a browser reaches this app
    at, its mount included. `state_path`: the SQLite file that keeps payments over a restart; None
    keeps them in memory. The same `seed` gives the same transaction numbers and choices."""
    app = Flask(__name__)
    app.config.update(KNOBS, MAX_CONTENT_LENGTH=MOST_BODY_BYTES)
    add_manners(app)
    store = Store(state_path)
    courier = Courier(store, app.config)
    kit = Kit(store, courier, Chance(seed), public_url.rstrip("/"), app.config)
    app.extensions["sandbox"] = kit
    given = {type(one): one for one in keys}
    mounted = [provider for provider in PROVIDERS if provider.keys in given]
    for provider in mounted:
        app.register_blueprint(provider.blueprint(kit, given[provider.keys]))
    # At the first request, not here: a command that only builds the app must send nothing.
    app.before_request(courier.resume_once)

    @app.get("/")
    def first_page() -> str:
        return render_template("index.html", providers=mounted)

    return app
