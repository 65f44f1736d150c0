"""What can happen in the simulated shop, and how a story of it is told to its end."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta

from payments.domain.money import Money
from payments.domain.ports import Payer
from payments.services import checkout, confirm, refunds, unmatched
from payments.services.checkout import NewOrder
from payments.services.reconcile import ask_watched
from payments.services.unmatched import assign
from payments.store import bank_lines, confirmations, orders
from payments.store import refunds as promised
from payments.store.db import now
from tests import feeds
from tests.faults import invariants
from tests.faults.pretended import Letter, Transfer, said
from tests.faults.simulation import POINTS, World
from tests.signing import JSON, momo_ipn, shop_webhook

PRICE = 10_000
PARTS = (1, 4_000, 9_999, PRICE, PRICE, PRICE, 10_001, 25_000)
JUMPS_SECONDS = (1, 5, 11, 30, 120, 600, 4_000)
OFTEN = 6
ROUNDS = (30, 300, 3_700, 3_700, 3_700)
"""Seconds between the rounds after a story, in which everybody is there again."""


def some_order(world: World) -> str:
    return world.chance.choice(world.order_ids)


def open_order(world: World) -> None:
    currency = "XAF" if world.chance.random() < 0.3 else "VND"
    life = timedelta(seconds=world.chance.choice((60, 900, 7_200)))
    new = NewOrder(Money(PRICE, currency), "Coffee", expires_in=life)
    made = world.attempt(checkout.open_order, world.settings, world.shop, new)
    if made is not None:
        world.order_ids.append(made.id)
        if world.chance.random() < 0.6:
            world.open_page(made.id)


def start_payment(world: World) -> None:
    order_id = some_order(world)
    order = orders.find(order_id)
    rails = ("campay",) if order and order.currency == "XAF" else ("momo", "momo", "bank")
    payer = Payer(phone="+237670000001")
    rail = world.chance.choice(rails)
    again = world.chance.random() < 0.5
    asked = (world.rails, world.shop, order_id, rail, payer, "http://localhost/back", "en")
    world.attempt(checkout.start_payment, *asked, again=again)


def payer_decides(world: World) -> None:
    waiting = [one for one in world.outside.deals.values() if one.fate == "open"]
    if waiting:
        world.outside.decide(world.chance.choice(waiting))


def money_by_bank(world: World) -> None:
    """With the memo of an attempt, written as banks do, or without one; told by one feed or two."""
    chance = world.chance
    known = [one.reference for one in invariants.attempts(world) if one.provider == "bank"]
    memo = chance.choice(known) if known and chance.random() < 0.7 else "for coffee"
    text = chance.choice((memo, f"MBVCB.1234 {memo.lower()} CT tu A", f"{memo}FT26005"))
    # A number is the bank's own; staff may have typed it off a slip already.
    number = chance.choice([*(slip(n) for n in range(3)), f"FT{world.outside.number():010}"])
    taken = {one.line.number for one in world.outside.transfers}
    if number in taken:
        return
    line = feeds.Transfer(text, chance.choice(PARTS), world.outside.number(), number)
    come = Transfer(line, {f"{feed}:{line.id}" for feed in ("pay2s", "sepay")})
    world.outside.transfers.append(come)
    telling = [feeds.pay2s, feeds.sepay]
    chance.shuffle(telling)
    for tell in telling[: chance.choice((1, 1, 2))]:
        world.outside.mail.append(Letter(lambda tell=tell: written(tell(line))))  # type: ignore[misc]


def written(told: feeds.Told) -> tuple[str, bytes, dict[str, str]]:
    return told.key, told.body, told.headers


def slip(number: int) -> str:
    return f"FT26005{number:05}"


def shop_says(world: World) -> None:
    """The shop's own system: a new transaction, or another message about one."""
    outside, chance = world.outside, world.chance
    order_id = "nobody" if chance.random() < 0.05 else some_order(world)
    status = chance.choice(("success", "success", "success", "failed", "pending"))
    transaction, amount = f"T{outside.number()}", chance.choice(PARTS)
    if outside.told_by_shop and chance.random() < 0.3:
        transaction = chance.choice(sorted(outside.told_by_shop))
        order_id = outside.told_by_shop[transaction][0]
    event = f"msg_{outside.number()}"
    if status == "success":
        outside.told_by_shop.setdefault(transaction, (order_id, set()))[1].add(amount)

    def write() -> tuple[str, bytes, dict[str, str]]:
        about = {"transaction": transaction, "status": status, "event": event}
        return "generic", *shop_webhook(order_id, amount, **about)

    outside.mail.append(Letter(write))


def a_letter_arrives(world: World) -> None:
    """Any of them: they overtake each other, and some come twice."""
    mail = world.outside.mail
    if not mail:
        return
    letter = mail.pop(world.chance.randrange(len(mail)))
    if not world.deliver(letter) or world.chance.random() < 0.3:
        mail.append(letter)


def somebody_lies(world: World) -> None:
    """Unsigned, signed by another, or the provider's own mistake about the amount."""
    outside, chance = world.outside, world.chance
    deals = [one for one in outside.deals.values() if one.rail == "momo"]
    if not deals:
        return
    deal = chance.choice(deals)
    if chance.random() < 0.5:
        forged = momo_ipn(deal.reference, deal.amount, secret="not MoMo's")
        outside.mail.append(Letter(lambda: ("momo", forged, dict(JSON)), lies=True))
    else:
        outside.mail.append(Letter(lambda: said(deal, "paid", amount=deal.amount + 1)))


def time_passes(world: World) -> None:
    world.clock.at += timedelta(seconds=world.chance.choice(JUMPS_SECONDS))


def providers_come_and_go(world: World) -> None:
    world.outside.away = not world.outside.away


def a_page_is_opened(world: World) -> None:
    world.open_page(some_order(world))


def a_page_is_watched(world: World) -> None:
    world.attempt(ask_watched, [one.order_id for one in world.pages], now())


def staff_confirm(world: World) -> None:
    evidence = world.chance.choice([slip(0), slip(1), slip(2), f"cash {world.outside.number()}"])
    who = world.chance.choice((world.clerk, world.manager))
    amount = world.chance.choice(PARTS)
    asked = (world.settings, who, some_order(world), amount, "I saw it", evidence)
    world.attempt(confirm.confirm, *asked)


def staff_approve(world: World) -> None:
    held = confirmations.held()
    if held:
        who = world.chance.choice((world.clerk, world.manager))
        world.attempt(confirm.approve, who, world.chance.choice(held).id)


def staff_cancel(world: World) -> None:
    if world.chance.random() < 0.3:
        world.attempt(checkout.cancel, world.clerk, some_order(world), "They left")


def staff_refund(world: World) -> None:
    amount = world.chance.choice((None, None, *PARTS))
    world.attempt(refunds.refund, world.rails, world.manager, some_order(world), amount, "Broken")


def staff_pay_a_refund_by_hand(world: World) -> None:
    waiting = promised.by_hand()
    if waiting:
        chosen = world.chance.choice(waiting)
        world.attempt(refunds.settle_by_hand, world.manager, chosen.id, "cash 7")


def staff_find_a_home(world: World) -> None:
    waiting = bank_lines.waiting()
    if not waiting:
        return
    line = world.chance.choice(waiting)
    if world.chance.random() < 0.8:
        world.attempt(assign, world.clerk, line.id, some_order(world), "They called")
    else:
        world.attempt(unmatched.give_back, world.manager, line.id, "Not ours", "slip 9")


def the_process_will_die(world: World) -> None:
    world.fuse = (world.chance.choice(POINTS), world.chance.randint(1, 3))


def it_dies_while_it_passes_on(world: World) -> None:
    world.fuse = (world.chance.choice(("before commit", "after commit", "mark")), 1)
    world.pass_on()
    world.fuse = None


STEPS: dict[Callable[[World], None], int] = {
    open_order: 3,
    start_payment: 6,
    payer_decides: 6,
    money_by_bank: 4,
    shop_says: 4,
    a_letter_arrives: 14,
    somebody_lies: 2,
    time_passes: 6,
    providers_come_and_go: 1,
    a_page_is_opened: 1,
    a_page_is_watched: 2,
    staff_confirm: 3,
    staff_approve: 1,
    staff_cancel: 2,
    staff_refund: 3,
    staff_pay_a_refund_by_hand: 1,
    staff_find_a_home: 2,
    the_process_will_die: 5,
    it_dies_while_it_passes_on: 2,
    World.pass_on: 8,
    World.ask: 5,
    World.expire: 3,
}
"""Everything that can happen, and how often it does."""


def tell(world: World, steps: int, often: Collection[Callable[[World], None]] = ()) -> None:
    """One story, with some things `often`. Raises Broken (or whatever should not be raised)."""
    weights = [weight * (OFTEN if step in often else 1) for step, weight in STEPS.items()]
    open_order(world)
    for step in world.chance.choices(list(STEPS), weights, k=steps):
        if world.order_ids:
            step(world)
        else:
            open_order(world)
    finish(world)


def finish(world: World) -> None:
    """Everybody is there again, says what is left to say and asks; then all must be right."""
    world.fuse = None
    # What is in the database by now is on every page within one round.
    world.pass_on()
    invariants.check_pages(world)
    world.outside.away = False
    for seconds in ROUNDS:
        world.outside.mail = [one for one in world.outside.mail if not world.deliver(one)]
        world.clock.at += timedelta(seconds=seconds)
        world.ask()
        world.expire()
        world.pass_on()
    invariants.check(world)
