"""What paying in the app does: lines on the statement, and what a feed tells the shop of them."""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from ..chance import Chance
from ..courier import Callback, Courier, now_ms
from ..switches import Switch, Switches, is_on, read_switches
from . import book, feeds, noise, qr
from .book import Book, Line, Link, Payment
from .feeds import FEEDS, Teller, Told
from .gateway import DENIED, PAID, WAITING, Gateway
from .keys import BankKeys

GATEWAY = "pay2s-gateway"
"""Not a feed: it speaks of orders that it knows, never of a statement."""

MOST_DONG = 499_999_999
STRANGER = "Nguyen Van Binh chuyen tien an trua"
MARK = re.compile(r"[A-Za-z0-9]{8,64}")

SWITCHES = (
    Switch("twice", "Twice", "The same notice two times"),
    Switch("equal", "Two transfers", "Paid two times: other lines, same amount and memo"),
    Switch("among", "Among others", "With lines that are not the shop's business"),
    Switch("reorder", "Out of order", "What happened first is told last"),
    Switch("outgoing", "Money out", "It leaves the shop's account instead"),
    Switch("forged", "Forged", "With another secret"),
    Switch("silent", "Silent", "Nobody tells the shop"),
)


class Impossible(ValueError):
    """The app says why it cannot do this."""


@dataclass(frozen=True)
class Story:
    """How it is told, and what else happens on the account. See `SWITCHES` for the words."""

    told: Switches
    equal: bool = False
    among: bool = False
    outgoing: bool = False


@dataclass(frozen=True)
class Asked:
    """What the person decided in the app."""

    scanned: qr.Scanned
    amount: int
    memo: str
    noise: noise.Noise
    feed: str
    mark: str | None
    story: Story


class BankApp:
    def __init__(
        self,
        keys: BankKeys,
        ledger: Book,
        courier: Courier,
        chance: Chance,
        gateway: Gateway | None,
    ) -> None:
        self.keys = keys
        self.book = ledger
        self.courier = courier
        self.gateway = gateway
        self._chance = chance
        self._feeds = {feed.key: feed for feed in FEEDS if feed.secret(keys)}
        for feed in self._feeds.values():
            courier.manners[feed.key] = feed.manners
        courier.manners[GATEWAY] = feeds.ONCE_MORE_AND_SIX

    @property
    def tellers(self) -> dict[str, str]:
        """Who can tell the shop: key and words."""
        known = {key: feed.label for key, feed in self._feeds.items()}
        return known | ({GATEWAY: "Pay2S gateway"} if self.gateway else {})

    def read(self, asked: Mapping[str, Any]) -> Asked:
        """A form, or JSON in its place. Raises Impossible, Unreadable."""
        scanned = qr.scan(str(asked.get("qr") or ""))
        digits = re.sub(r"[\s.,]", "", str(asked.get("amount") or scanned.amount or ""))
        if not re.fullmatch(r"[0-9]{1,12}", digits) or not 1 <= int(digits) <= MOST_DONG:
            raise Impossible("amount: whole dong, from 1 to 499,999,999")
        memo = str(asked.get("memo", scanned.memo)).strip()
        if len(memo) > noise.MOST_MEMO or not all(letter.isprintable() for letter in memo):
            raise Impossible(f"memo: up to {noise.MOST_MEMO} letters")
        if str(asked.get("noise") or "none") not in noise.BY_KEY:
            raise Impossible(f"noise: {', '.join(noise.BY_KEY)}")
        feed = str(asked.get("feed") or next(iter(self.tellers), ""))
        if feed not in self.tellers:
            raise Impossible(f"feed: {', '.join(self.tellers)}")
        mark = asked.get("mark")
        if mark is not None and not MARK.fullmatch(str(mark)):
            raise Impossible("mark: 8 to 64 letters and digits")
        return Asked(
            scanned=scanned,
            amount=int(digits),
            memo=memo,
            noise=noise.BY_KEY[str(asked.get("noise") or "none")],
            feed=feed,
            mark=str(mark) if mark else None,
            story=read_story(asked),
        )

    def pay(self, asked: Asked) -> Payment:
        """One transaction: the lines, and what is told of them. The same mark pays once.

        Raises Impossible where Pay2S's gateway is to tell of a transfer that it cannot know.
        """
        story, now = asked.story, now_ms()
        with self.book.store.transaction() as db:
            before = self.book.pressed(asked.mark) if asked.mark else None
            if before is not None:
                return before
            payment = self._payment(asked, now)
            book.add(db, payment)
            for line in self._lines(payment, asked, now):
                book.add(db, line)
            told = self._tell(db, payment, story)
            batch = self.courier.schedule(db, self._callbacks(payment, told, story))
        self.courier.dispatch(batch)
        return payment

    def resend(self, payment: Payment) -> int:
        """The lines once more, truly; how many callbacks that makes."""
        story = Story(Switches())
        with self.book.store.transaction() as db:
            told = self._tell(db, payment, story)
            batch = self.courier.schedule(db, self._callbacks(payment, told, story, again=True))
        self.courier.dispatch(batch)
        return len(told)

    def cancel(self, link: Link) -> bool:
        """The customer leaves Pay2S's page for good. False: it had ended before."""
        with self.book.store.transaction() as db:
            trans_id = self._new_number("cancelled", link.order_id)
            ended = replace(link, result_code=DENIED, trans_id=trans_id)
            if self.gateway is None or not book.end_link(db, ended):
                return False
            headers, body = feeds.as_json({}, self.gateway.result(ended))
            batch = self.courier.schedule(
                db, [Callback(GATEWAY, link.order_id, "cancelled", link.ipn_url, body, headers)]
            )
        self.courier.dispatch(batch)
        return True

    def _payment(self, asked: Asked, now: int) -> Payment:
        scanned = asked.scanned
        return Payment(
            id=self._new_number("payment", f"{scanned.account}/{asked.memo}/{asked.amount}"),
            pressed=asked.mark,
            feed=asked.feed,
            bin=scanned.bin,
            account=scanned.account,
            amount=asked.amount,
            memo=asked.memo,
            noise=asked.noise.key,
            made_ms=now,
        )

    def _lines(self, payment: Payment, asked: Asked, now: int) -> list[Line]:
        """Oldest first."""
        content = asked.noise.make(payment.memo)
        if asked.noise.key != "accents":
            content = noise.plain(content)
        story = asked.story
        drafts = [(not story.outgoing, payment.amount, content)] * (2 if story.equal else 1)
        if story.among:
            drafts = [(False, 1_100_000, "Tra tien dien"), *drafts, (True, 35_000, STRANGER)]
        elif story.told.reorder and not story.equal:
            drafts = [(True, 35_000, STRANGER), *drafts]
        balance, lines = self.book.balance(payment.account), []
        for place, (incoming, amount, words) in enumerate(drafts):
            balance += amount if incoming else -amount
            number = self._new_number(f"line {place}", str(payment.id))
            lines.append(
                Line(
                    id=number,
                    payment_id=payment.id,
                    bin=payment.bin,
                    account=payment.account,
                    incoming=int(incoming),
                    amount=amount,
                    content=words,
                    reference=f"FT{book.local_time(now, '%y%j')}{number}",
                    balance=balance,
                    made_ms=now + place,
                )
            )
        return lines

    def _tell(
        self, db: sqlite3.Connection, payment: Payment, story: Story
    ) -> list[tuple[str, str, Told]]:
        """Words for the log, the address, and the callback; in the order in which they go out."""
        lines = self.book.lines(payment.id)
        if payment.feed == GATEWAY:
            return self._tell_by_gateway(db, [line for line in lines if line.incoming], story)
        feed, url = self._feeds[payment.feed], self.keys.url(payment.feed)
        known = [line for line in lines if line.incoming or feed.outgoing]
        teller = Teller(self.keys, now_ms() + 1000 * story.told.late, story.told.forged)
        if story.told.reorder:
            each = [told for line in reversed(known) for told in feed.tell(teller, [line])]
        else:
            each = feed.tell(teller, known) if known else []
        return [("lines" if len(known) > 1 else "line", url, told) for told in each]

    def _tell_by_gateway(
        self, db: sqlite3.Connection, lines: Sequence[Line], story: Story
    ) -> list[tuple[str, str, Told]]:
        told: list[tuple[str, str, Told]] = []
        for line in lines:
            link = self.book.link_in(line.account, line.content)
            if link is None or self.gateway is None:
                continue
            paid = replace(link, result_code=PAID, trans_id=line.id, paid=line.amount)
            book.end_link(db, paid)
            codes = [PAID, WAITING] if story.told.reorder else [PAID]
            for code in codes:
                result = self.gateway.result(paid, code=code, forged=story.told.forged)
                words = "result" if code == PAID else "older: waiting"
                told.append((words, link.ipn_url, feeds.as_json({}, result)))
        if not told:
            raise Impossible("feed: Pay2S's gateway knows no order by this memo and account")
        return told

    def _callbacks(
        self,
        payment: Payment,
        told: Sequence[tuple[str, str, Told]],
        story: Story,
        *,
        again: bool = False,
    ) -> list[Callback]:
        rounds = ("",) if not story.told.twice else ("", ", the same again")
        told = () if story.told.silent else told
        spoilt = ", forged" * story.told.forged + ", sent again by hand" * again
        return [
            Callback(
                provider=payment.feed,
                subject=str(payment.id),
                label=f"{words}{repeated}{spoilt}",
                url=url,
                body=body,
                headers=headers,
                delay_seconds=story.told.late,
                # A forger who is refused does not come back, as the feed would.
                most_tries=1 if story.told.forged else None,
            )
            for repeated in rounds
            for words, url, (headers, body) in told
        ]

    def _new_number(self, purpose: str, subject: str) -> int:
        """Nine digits that no line has: a shop that remembers an earlier sandbox meets new ones."""
        attempt = 0
        while True:
            number = self._chance.number(f"{purpose}{attempt}", subject, 100_000_000, 1_000_000_000)
            if not self.book.is_taken(number):
                return number
            attempt += 1


def read_story(asked: Mapping[str, Any]) -> Story:
    """Raises ValueError naming what cannot be read."""
    own = {one.name for one in fields(Story)} - {"told"}
    return Story(read_switches(asked), **{name: is_on(name, asked) for name in own})
