"""The payment providers, pretended: a Flask app of its own, for trying and testing without them.

It imports nothing of the application, so that it cannot share a mistake with the adapters that
are tested against it. Never reachable in production.
"""

from dataclasses import dataclass

from flask import Flask, render_template

from .chance import Chance
from .courier import Courier
from .momo import MomoKeys
from .momo import blueprint as momo_blueprint
from .pages import Kit, add_manners
from .store import Store

__all__ = ["MomoKeys", "create_sandbox"]

MOST_BODY_BYTES = 64 * 1024

# How the pretended providers behave; change them in `app.config`.
KNOBS: dict[str, float] = {
    "IPN_TRIES": 5,  # of one callback, while the answer is not 2xx
    "IPN_BACKOFF_SECONDS": 0.5,  # before the second try; doubles from there
    "IPN_TIMEOUT_SECONDS": 15,  # MoMo docs, notification
    "ANSWER_SECONDS": 0,  # how long a create or a refund takes
}


@dataclass(frozen=True)
class Provider:
    """A row of the first page. `key` names its colours, `home` is the endpoint of its phone."""

    key: str
    label: str
    home: str
    about: str


PROVIDERS: tuple[Provider, ...] = (
    Provider("momo", "MoMo", "momo.latest", "E-wallet, Vietnam, with its hosted payment page."),
)


def create_sandbox(
    public_url: str, state_path: str | None, momo: MomoKeys, seed: int | None = None
) -> Flask:
    """`public_url`: the address a browser reaches this app at, its mount included. `state_path`:
    the SQLite file that keeps payments over a restart; None keeps them in memory. The same
    `seed` gives the same transaction numbers and choices."""
    app = Flask(__name__)
    app.config.update(KNOBS, MAX_CONTENT_LENGTH=MOST_BODY_BYTES)
    add_manners(app)
    store = Store(state_path)
    courier = Courier(store, app.config)
    kit = Kit(store, courier, Chance(seed), public_url.rstrip("/"), app.config)
    app.extensions["sandbox"] = kit
    app.register_blueprint(momo_blueprint(kit, momo))
    # At the first request, not here: a command that only builds the app must send nothing.
    app.before_request(courier.resume_once)

    @app.get("/")
    def first_page() -> str:
        return render_template("index.html", providers=PROVIDERS)

    return app
