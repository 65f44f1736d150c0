"""Worked examples, as a textbook of bookkeeping has them: what happened, and the accounts after it.

Debits stand left of the line, credits right of it, and below them is what the account comes to.
What a provider owes the shop is an asset and grows on the left; what the shop has earned, and what
it owes to others, grow on the right.
"""

from __future__ import annotations

from textwrap import dedent

import pytest
from flask import Flask
from sqlalchemy import select

from payments.domain.errors import InsufficientFunds, ProviderRefused
from payments.domain.money import Money
from payments.domain.order import Order
from payments.domain.ports import Refunded
from payments.services.wallets import withdrawals
from payments.store import ledger
from payments.store.db import db
from payments.store.tables import entries, postings
from tests.feeds import Transfer, pay2s
from tests.outside import ON_SQLITE
from tests.people import People
from tests.services import life
from tests.services.life import PRICE, Life

pytestmark = ON_SQLITE


class Textbook(Life):
    """A shop that sells coffee for 50,000 dong, to Mai among others, who has a wallet here.

    A withdrawal costs 1 % and 500 dong.
    """

    def __init__(self, people: People) -> None:
        super().__init__(people)
        self.mai = self.customers[0]

    def sold(self, transaction: int = 1) -> Order:
        """To Mai, who has paid by MoMo."""
        order = self.order(customer=self.mai)
        attempt = self.begin(order, "momo")
        assert attempt is not None
        self.momo_says(attempt.reference, PRICE, transaction)
        return order

    def says(self, expected: str) -> None:
        """All accounts, and nothing beside them; and `ledger verify` agrees."""
        assert self.people.in_app(self._drawn) == dedent(expected).strip("\n")
        assert self.people.in_app(lambda: list(ledger.faults())) == []

    def _drawn(self) -> str:
        lines: dict[str, list[tuple[str, int]]] = {}
        for account, cause, amount in db.session.execute(
            select(entries.c.account, postings.c.cause, entries.c.amount)
            .join(postings, postings.c.id == entries.c.posting_id)
            .order_by(entries.c.id)
        ):
            lines.setdefault(account, []).append((cause.partition(":")[0], amount))
        assert self.mai.user is not None
        mine = f"wallet:{self.mai.user.id}"
        drawn = [_t("wallet:mai" if a == mine else a, lines[a]) for a in sorted(lines)]
        return "\n\n".join(drawn)


def _t(account: str, lines: list[tuple[str, int]]) -> str:
    balance = sum(amount for _, amount in lines)
    sides = [_side(word, amount) for word, amount in lines]
    return "\n".join([account, *sides, _side("=", balance) if balance else "settled"])


def _side(word: str, amount: int) -> str:
    if amount > 0:
        return f"{f'{word} {amount:,}':>29} |"
    return f"{'':29} | {-amount:,} {word}"


@pytest.fixture
def environment() -> dict[str, str]:
    return life.ENVIRONMENT


@pytest.fixture
def shop(app: Flask) -> Textbook:
    return Textbook(People(app))


def test_a_sale_is_earned_and_owed_by_the_provider(shop: Textbook) -> None:
    shop.sold()
    shop.says(
        """
        clearing:momo
                       receipt 50,000 |
                             = 50,000 |

        revenue
                                      | 50,000 receipt
                                      | 50,000 =
        """
    )


def test_a_deposit_is_owed_to_the_customer_and_not_earned(shop: Textbook) -> None:
    shop.top_up(shop.mai, 200_000, 1)
    shop.says(
        """
        clearing:momo
                      receipt 200,000 |
                            = 200,000 |

        wallet:mai
                                      | 200,000 receipt
                                      | 200,000 =
        """
    )


def test_an_order_paid_from_a_wallet_is_earned_out_of_what_was_owed(shop: Textbook) -> None:
    shop.top_up(shop.mai, 200_000, 1)
    shop.pay_from_wallet(shop.mai, shop.order(customer=shop.mai))
    shop.says(
        """
        clearing:momo
                      receipt 200,000 |
                            = 200,000 |

        revenue
                                      | 50,000 receipt
                                      | 50,000 =

        wallet:mai
                                      | 200,000 receipt
                       receipt 50,000 |
                                      | 150,000 =
        """
    )


def test_a_part_from_the_wallet_and_the_rest_by_the_provider(shop: Textbook) -> None:
    shop.top_up(shop.mai, 20_000, 1)
    order = shop.order(customer=shop.mai)
    shop.pay_from_wallet(shop.mai, order)
    shop.pay_from_wallet(shop.mai, order, 20_000)
    rest = shop.begin(order, "momo")
    assert rest is not None
    shop.momo_says(rest.reference, 30_000, 2)
    shop.says(
        """
        clearing:momo
                       receipt 20,000 |
                       receipt 30,000 |
                             = 50,000 |

        revenue
                                      | 20,000 receipt
                                      | 30,000 receipt
                                      | 50,000 =

        wallet:mai
                                      | 20,000 receipt
                       receipt 20,000 |
        settled
        """
    )


def test_what_a_customer_pays_too_much_is_theirs(shop: Textbook) -> None:
    shop.shop_says(shop.order(customer=shop.mai).id, 57_000, "T1")
    shop.says(
        """
        clearing:generic
                       receipt 57,000 |
                             = 57,000 |

        revenue
                                      | 50,000 receipt
                                      | 50,000 =

        wallet:mai
                                      | 7,000 receipt
                                      | 7,000 =
        """
    )


def test_what_somebody_without_a_wallet_pays_too_much_is_held(shop: Textbook) -> None:
    shop.shop_says(shop.order().id, 57_000, "T1")
    shop.says(
        """
        clearing:generic
                       receipt 57,000 |
                             = 57,000 |

        revenue
                                      | 50,000 receipt
                                      | 50,000 =

        suspense
                                      | 7,000 receipt
                                      | 7,000 =
        """
    )


def test_a_refund_to_where_it_came_from(shop: Textbook) -> None:
    order = shop.sold()
    shop.rail.refunds = [Refunded("RF-1")]
    shop.refund(order, 20_000)
    shop.says(
        """
        clearing:momo
                       receipt 50,000 |
                                      | 20,000 refund-paid
                             = 30,000 |

        refunds_due
                                      | 20,000 refund
                   refund-paid 20,000 |
        settled

        revenue
                                      | 50,000 receipt
                        refund 20,000 |
                                      | 30,000 =
        """
    )


def test_a_refund_that_waits_is_owed(shop: Textbook) -> None:
    order = shop.sold()
    shop.rail.refunds = [Refunded("RF-1", final=False)]
    shop.refund(order, 20_000)
    shop.says(
        """
        clearing:momo
                       receipt 50,000 |
                             = 50,000 |

        refunds_due
                                      | 20,000 refund
                                      | 20,000 =

        revenue
                                      | 50,000 receipt
                        refund 20,000 |
                                      | 30,000 =
        """
    )


def test_a_refund_that_the_provider_refuses_is_earned_again(shop: Textbook) -> None:
    order = shop.sold()
    shop.rail.refunds = [ProviderRefused("No.", code="refund_rejected")]
    shop.refund(order, 20_000)
    shop.says(
        """
        clearing:momo
                       receipt 50,000 |
                             = 50,000 |

        refunds_due
                                      | 20,000 refund
                 refund-failed 20,000 |
        settled

        revenue
                                      | 50,000 receipt
                        refund 20,000 |
                                      | 20,000 refund-failed
                                      | 50,000 =
        """
    )


def test_a_refund_into_the_wallet(shop: Textbook) -> None:
    shop.refund(shop.sold(), 20_000, to_wallet=True)
    shop.says(
        """
        clearing:momo
                       receipt 50,000 |
                             = 50,000 |

        refunds_due
                                      | 20,000 refund
                   refund-paid 20,000 |
        settled

        revenue
                                      | 50,000 receipt
                        refund 20,000 |
                                      | 30,000 =

        wallet:mai
                                      | 20,000 refund-paid
                                      | 20,000 =
        """
    )


def test_a_refund_of_what_was_held_comes_out_of_it_first(shop: Textbook) -> None:
    order = shop.order()
    shop.shop_says(order.id, 57_000, "T1")
    shop.refund(order, 10_000)
    shop.pay_refunds_by_hand()
    shop.says(
        """
        clearing:generic
                       receipt 57,000 |
                             = 57,000 |

        clearing:manual
                                      | 10,000 refund-paid
                                      | 10,000 =

        refunds_due
                                      | 10,000 refund
                   refund-paid 10,000 |
        settled

        revenue
                                      | 50,000 receipt
                         refund 3,000 |
                                      | 47,000 =

        suspense
                                      | 7,000 receipt
                         refund 7,000 |
        settled
        """
    )


def test_a_withdrawal_is_held_with_its_fee(shop: Textbook) -> None:
    shop.top_up(shop.mai, 200_000, 1)
    shop.withdraw(shop.mai, 40_000)
    shop.says(
        """
        clearing:momo
                      receipt 200,000 |
                            = 200,000 |

        wallet:mai
                                      | 200,000 receipt
                    withdrawal 40,900 |
                                      | 159,100 =

        withdrawals_due
                                      | 40,900 withdrawal
                                      | 40,900 =
        """
    )


def test_a_withdrawal_that_is_sent_earns_its_fee(shop: Textbook) -> None:
    shop.top_up(shop.mai, 200_000, 1)
    shop.withdraw(shop.mai, 40_000)
    shop.send_the_oldest_withdrawal()
    shop.says(
        """
        clearing:manual
                                      | 40,000 withdrawal-paid
                                      | 40,000 =

        clearing:momo
                      receipt 200,000 |
                            = 200,000 |

        fees
                                      | 900 withdrawal-paid
                                      | 900 =

        wallet:mai
                                      | 200,000 receipt
                    withdrawal 40,900 |
                                      | 159,100 =

        withdrawals_due
                                      | 40,900 withdrawal
               withdrawal-paid 40,900 |
        settled
        """
    )


def test_a_withdrawal_that_is_not_sent_comes_back_with_its_fee(shop: Textbook) -> None:
    shop.top_up(shop.mai, 200_000, 1)
    shop.withdraw(shop.mai, 40_000)
    shop.return_the_oldest_withdrawal()
    shop.says(
        """
        clearing:momo
                      receipt 200,000 |
                            = 200,000 |

        wallet:mai
                                      | 200,000 receipt
                    withdrawal 40,900 |
                                      | 40,900 withdrawal-returned
                                      | 200,000 =

        withdrawals_due
                                      | 40,900 withdrawal
           withdrawal-returned 40,900 |
        settled
        """
    )


def test_what_is_not_there_is_not_withdrawn(shop: Textbook) -> None:
    """40,000 and the fee of 900 are more than 40,899."""
    shop.top_up(shop.mai, 40_899, 1)
    people = shop.people
    with pytest.raises(InsufficientFunds):
        people.in_app(
            *(withdrawals.withdraw, people.house.settings, people.house.rails, shop.mai),
            *(Money(40_000, "VND"), "0901234567"),
            offload=lambda work, *about: work(*about),
        )
    shop.says(
        """
        clearing:momo
                       receipt 40,899 |
                             = 40,899 |

        wallet:mai
                                      | 40,899 receipt
                                      | 40,899 =
        """
    )


def test_money_without_a_home_is_held_until_it_is_assigned(shop: Textbook) -> None:
    shop.feed_says(pay2s(Transfer("no memo", PRICE, 1, "FT3000000001")))
    shop.says(
        """
        clearing:bank
                     unmatched 50,000 |
                             = 50,000 |

        suspense
                                      | 50,000 unmatched
                                      | 50,000 =
        """
    )
    shop.assign(shop.order())
    shop.says(
        """
        clearing:bank
                     unmatched 50,000 |
                                      | 50,000 assigned
                       receipt 50,000 |
                             = 50,000 |

        revenue
                                      | 50,000 receipt
                                      | 50,000 =

        suspense
                                      | 50,000 unmatched
                      assigned 50,000 |
        settled
        """
    )


def test_money_that_was_not_ours_goes_back(shop: Textbook) -> None:
    shop.feed_says(pay2s(Transfer("no memo", 1_234, 1, "FT3000000002")))
    shop.give_back()
    shop.says(
        """
        clearing:bank
                      unmatched 1,234 |
                                      | 1,234 returned
        settled

        suspense
                                      | 1,234 unmatched
                       returned 1,234 |
        settled
        """
    )


def test_money_for_a_cancelled_order_is_held_even_for_somebody_with_a_wallet(
    shop: Textbook,
) -> None:
    order = shop.order(customer=shop.mai)
    attempt = shop.begin(order, "momo")
    assert attempt is not None
    shop.cancel(order)
    shop.momo_says(attempt.reference, PRICE, 1)
    shop.says(
        """
        clearing:momo
                       receipt 50,000 |
                             = 50,000 |

        suspense
                                      | 50,000 receipt
                                      | 50,000 =
        """
    )
    shop.rail.refunds = [Refunded("RF-1")]
    shop.refund(order)
    shop.says(
        """
        clearing:momo
                       receipt 50,000 |
                                      | 50,000 refund-paid
        settled

        refunds_due
                                      | 50,000 refund
                   refund-paid 50,000 |
        settled

        suspense
                                      | 50,000 receipt
                        refund 50,000 |
        settled
        """
    )


def test_what_staff_have_seen_and_the_bank_bears_out(shop: Textbook) -> None:
    order = shop.order()
    shop.begin(order, "bank")
    shop.staff_see(order, PRICE, "FT26305112277")
    shop.feed_says(pay2s(Transfer("no memo", PRICE, 1, "FT26305112277")))
    shop.says(
        """
        clearing:bank
                  corroborated 50,000 |
                             = 50,000 |

        clearing:manual
                       receipt 50,000 |
                                      | 50,000 corroborated
        settled

        revenue
                                      | 50,000 receipt
                                      | 50,000 =
        """
    )
