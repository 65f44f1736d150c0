"""Row 13: signatures and bodies changed bit by bit, headers missing and doubled, old secrets."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace

import pytest

from tests.faults.conftest import OpenShop
from tests.faults.forms import RECEIVERS, SECRETS, send_raw, settings_of_all, with_body
from tests.faults.harness import KINDS, Shop
from tests.faults.report import Outcome
from tests.people import People
from tests.providers.bench import Bench, Desk, opened
from tests.providers.case import Call, Case, Said, case_of
from tests.providers.nonsense import touched

pytestmark = pytest.mark.fault(13)

NEW = {"generic": "whsec_" + "bmV3" * 8}
"""A secret of the right form; any text is one for the others."""


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(request.param)


@pytest.fixture
def desk(case: Case) -> Iterator[Desk]:
    with opened(case) as desk:
        yield desk


@pytest.fixture
def stage() -> str:
    return "before"


@pytest.fixture
def environment(case: Case, desk: Desk, stage: str) -> dict[str, str]:
    """`stage` of the rotation of this receiver's secret."""
    return dict(case.settings(desk.url)) | rotating(case, stage)


def rotating(case: Case, stage: str) -> dict[str, str]:
    """The one setting that holds this receiver's secrets, at this stage of their rotation."""
    name = SECRETS[case.key]
    old, new = case.settings("")[name], NEW.get(case.key, f"the-new-one-{'x' * 32}")
    return {name: {"before": old, "inside": f"{new},{old}", "after": new}[stage]}


@pytest.fixture
def bench(people: People, case: Case, desk: Desk) -> Bench:
    return Bench(people, case, desk)


EVERY = pytest.mark.parametrize("case", RECEIVERS, indirect=True)


@EVERY
def test_nothing_that_was_changed_is_taken(
    bench: Bench, seed: random.Random, figures: Outcome
) -> None:
    """Each bit of the signature, and of each byte of the body one bit."""
    said, proof = bench.order(), bench.case.proof
    call = bench.case.call(said)
    given = proof.of(call)
    tried = 0
    for bit in range(len(given) * 8):
        changed = bytearray(given)
        changed[bit // 8] ^= 1 << bit % 8
        if proof.form == "text" and changed[bit // 8] in b"\r\n\0":
            continue  # no header can carry it
        assert bench.send(proof.altered(call, bytes(changed))).status_code in {400, 401}, bit
        tried += 1
    assert bench.untouched(said)
    figures.note(f"{bench.case.key}: {tried} bits of the signature, 0 accepted")
    if not bench.case.covers_body:
        figures.note("it proves the sender, and nothing of the body")
        return
    tried = same = 0
    for place in range(len(call.body)):
        byte = call.body[place] ^ 1 << seed.randrange(8)
        body = call.body[:place] + bytes([byte]) + call.body[place + 1 :]
        status = bench.send(with_body(call, body)).status_code
        bench.ask()
        tried += 1
        assert status < 500, body
        if status < 300 and not bench.case.doorbell:
            same += 1
            assert touched(call.body, body) <= bench.case.unsigned, body
    if bench.case.doorbell:
        assert bench.untouched(said)
        figures.note(f"{tried} changes of the body, 0 believed: it is asked")
    else:
        figures.note(f"{tried} changes of the body, 0 accepted, {same} that change nothing signed")


def doubled(case: Case, call: Call) -> Iterator[tuple[str, Call, tuple[tuple[str, str], ...]]]:
    """Words, the callback, and the headers that come after its own."""
    proof = case.proof
    forged = proof.altered(call, bytes(len(proof.of(call))) if proof.form != "text" else b"0")
    yield "missing", proof.put(call, None), ()
    yield "empty", proof.put(call, ""), ()
    if proof.header:
        yield "forged, then right", forged, ((proof.header, call.headers[proof.header]),)
        yield "right, then forged", call, ((proof.header, forged.headers[proof.header]),)
        yield "right, twice", call, ((proof.header, call.headers[proof.header]),)
    else:
        name = json.dumps(proof.field)
        for words, first in (("forged, then right", forged), ("right, twice", call)):
            front = f"{{{name}: {json.dumps(proof.text(first))}, ".encode()
            yield words, replace(call, body=front + call.body.lstrip()[1:]), ()


@EVERY
def test_a_signature_that_is_missing_empty_or_doubled_proves_nothing(
    open_shop: OpenShop, case: Case, desk: Desk, figures: Outcome
) -> None:
    """Over the wire: it is the server that puts two headers of one name together."""
    shop = open_shop("sqlite", **settings_of_all(desk.url, [case.key]))
    bench = Bench(People(shop.books.app), case, desk)
    tried = []
    for words, call, more in doubled(case, case.call(said := bench.order())):
        assert send_raw(shop.servers[0], case.key, call, more) in {400, 401}, words
        tried.append(words)
        bench.ask()
        assert bench.untouched(said), words
    figures.note(f"{case.key}: {'; '.join(tried)}: 0 accepted")


@EVERY
@pytest.mark.parametrize("stage", ["before", "inside", "after"])
def test_an_old_secret_signs_only_until_its_rotation_is_over(
    bench: Bench, stage: str, figures: Outcome
) -> None:
    said = bench.order()
    if stage == "after":
        answer = bench.send(bench.case.call(said))  # and it is not true: whoever asks hears so
        bench.ask()
        assert (answer.status_code, bench.untouched(said)) == (401, True)
    else:
        answer = bench.tell(said)
        assert (answer.status_code, bench.paid(said)) == (bench.rail.answer.status, True)
    word = "refused" if stage == "after" else "taken"
    figures.note(f"{bench.case.key}: the old secret {stage} the rotation is {word}")


NOBODY = "http://127.0.0.1:9"
OTHERS = ("MOMO_API_URL", "PAY2S_API_URL", "RAZORPAY_API_URL", "PAYABLE_API_URL")
"""Where servers would ask by themselves, and are not to in a test."""
HEARD_SECONDS = 10.0
"""A doorbell is answered at once, and then its provider is asked."""


class Rotation:
    """A shop with every receiver there is, whose servers come back with other secrets."""

    def __init__(self, shop: Shop, desks: dict[str, Desk]) -> None:
        people = People(shop.books.app)
        self.shop = shop
        self.benches = {key: Bench(people, case_of(key), desk) for key, desk in desks.items()}
        self._turns = itertools.count()

    def reaches(self, stage: str) -> None:
        self.shop.restart(**together([rotating(one.case, stage) for one in self.benches.values()]))

    def orders(self) -> dict[str, Said]:
        """One for each receiver; on the pages of every server."""
        orders = {key: bench.order() for key, bench in self.benches.items()}
        self.shop.pages_everywhere(*[said.order_id for said in orders.values()])
        return orders

    def taken(self, key: str, said: Said, call: Call) -> None:
        bench = self.benches[key]
        bench.desk.truth[said.reference] = said
        assert self._sent(key, call) == bench.rail.answer.status, key
        self.shop.books.eventually(lambda: bench.paid(said), HEARD_SECONDS)
        (transaction,) = self.shop.books.transactions(said.order_id)
        self.shop.credited(said.order_id, transaction, said.amount)

    def refused(self, key: str, said: Said, call: Call) -> None:
        """By each server; and it is not true yet, as whoever asks all the same would hear."""
        assert {self._sent(key, call) for _ in self.shop.servers} == {401}, key
        assert self.benches[key].untouched(said), key

    def _sent(self, key: str, call: Call) -> int:
        """To the servers by turns."""
        return send_raw(self.shop.servers[next(self._turns) % len(self.shop.servers)], key, call)


def together(settings: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {name: value for some in settings for name, value in some.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_servers_take_an_old_secret_only_until_its_rotation_is_over(
    open_shop: OpenShop, kind: str, figures: Outcome
) -> None:
    """They are restarted one after the other, on one database, with the pages open."""
    with ExitStack() as stack:
        desks = {key: stack.enter_context(opened(case_of(key))) for key in RECEIVERS}
        settings = [case_of(key).settings(desk.url) for key, desk in desks.items()]
        shop = open_shop(kind, **dict.fromkeys(OTHERS, NOBODY) | together(settings))
        rotation = Rotation(shop, desks)
        for stage in ("before", "inside"):
            if stage != "before":
                rotation.reaches(stage)
            for key, said in rotation.orders().items():
                rotation.taken(key, said, rotation.benches[key].case.call(said))
            shop.prove(time.monotonic())
        rotation.reaches("after")
        late = {
            key: (said, rotation.benches[key].case.call(said))
            for key, said in rotation.orders().items()
        }
        for key, (said, call) in late.items():
            rotation.refused(key, said, call)
        shop.prove(time.monotonic())
        # The very same bytes, once the old secret is known again: nothing else was wrong with them.
        rotation.reaches("inside")
        for key, (said, call) in late.items():
            rotation.taken(key, said, call)
        shop.prove(time.monotonic())
    figures.note(
        f"{', '.join(RECEIVERS)}: the old secret taken before and inside its rotation, refused "
        "after it by every server, and the same bytes taken when it was known again"
    )
