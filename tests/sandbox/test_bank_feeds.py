"""What the pretended feeds send: their documented forms, their proofs, and the switches."""

import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from payos import PayOS, WebhookError

from sandbox.bank.feeds import FEEDS, Teller, casso
from sandbox.bank.keys import BankKeys
from sandbox.bank.noise import NOISES

from .bank_world import MEMO, SECRETS, BankWorld, Heard, bank_opened

VECTORS = Path(__file__).parents[1] / "vectors"
KEYS = tuple(feed.key for feed in FEEDS)
SUCCESS = '{"success": true}'


@pytest.fixture
def bank() -> Iterator[BankWorld]:
    with bank_opened() as world:
        yield world


def mac(key: str, text: str, kind: str = "sha256") -> str:
    return hmac.new(key.encode(), text.encode(), kind).hexdigest()


def is_proven(heard: Heard) -> bool:
    """As each provider's documentation says how to verify; written apart from the sender."""
    headers, body = heard.headers, heard.body.decode()
    if heard.feed == "pay2s":
        return headers["Authorization"] == f"Bearer {SECRETS['pay2s_token']}"
    if heard.feed == "sepay":
        expected = mac(SECRETS["sepay_secret"], f"{headers['X-Sepay-Timestamp']}.{body}")
        return headers["X-Sepay-Signature"] == f"sha256={expected}"
    if heard.feed == "casso":
        at, given = (part.split("=")[1] for part in headers["X-Casso-Signature"].split(","))
        text = json.dumps(heard.json, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return given == mac(SECRETS["casso_key"], f"{at}.{text}", "sha512")
    client = PayOS(client_id="c", api_key="k", checksum_key=SECRETS["payos_checksum_key"])
    try:
        client.webhooks.verify(heard.body)
    except WebhookError:
        return False
    return True


def line_of(heard: Heard) -> tuple[str, int, str]:
    """The account, the amount and the words of the last line that a callback tells of."""
    told = heard.json
    if heard.feed == "pay2s":
        one = told["transactions"][-1]
        return one["accountNumber"], one["transferAmount"], one["content"]
    if heard.feed == "sepay":
        return told["accountNumber"], told["transferAmount"], told["content"]
    data = told["data"]
    return data["accountNumber"], data["amount"], data["description"]


@pytest.mark.parametrize("feed", KEYS)
def test_each_feed_tells_of_the_transfer_once_and_proves_it(bank: BankWorld, feed: str) -> None:
    told = bank.pay(feed=feed)
    (heard,) = bank.shop.heard
    assert heard.feed == feed
    assert is_proven(heard)
    assert line_of(heard) == ("0011002233445", 420_000, MEMO)
    assert [one["state"] for one in told["callbacks"]] == ["answered"]
    assert heard.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("feed", KEYS)
def test_a_forger_has_another_secret_and_does_not_come_back(bank: BankWorld, feed: str) -> None:
    bank.shop.answers = [(401, "")] * 9
    told = bank.pay(feed=feed, forged=True)
    (heard,) = bank.shop.heard
    assert not is_proven(heard)
    assert [one["state"] for one in told["callbacks"]] == ["given up"]


@pytest.mark.parametrize("feed", KEYS)
def test_accents_travel_under_the_proof(bank: BankWorld, feed: str) -> None:
    bank.pay(feed=feed, noise="accents")
    (heard,) = bank.shop.heard
    assert is_proven(heard)
    assert line_of(heard)[2] == f"Thanh toán đơn hàng {MEMO} cảm ơn shop ạ"


@pytest.mark.parametrize("feed", KEYS)
def test_twice_sends_the_same_lines_again(bank: BankWorld, feed: str) -> None:
    told = bank.pay(feed=feed, twice=True)
    first, second = bank.shop.heard
    assert first.body == second.body
    assert len(told["lines"]) == 1


@pytest.mark.parametrize("feed", KEYS)
def test_two_transfers_are_two_lines_however_equal(bank: BankWorld, feed: str) -> None:
    told = bank.pay(feed=feed, equal=True)
    first, second = told["lines"]
    assert (first["amount"], first["content"]) == (second["amount"], second["content"])
    assert first["id"] != second["id"]
    assert first["reference"] != second["reference"]
    assert len(bank.shop.heard) == (1 if feed == "pay2s" else 2)


def test_pay2s_puts_several_lines_into_one_body(bank: BankWorld) -> None:
    bank.pay(among=True)
    (heard,) = bank.shop.heard
    told = heard.json["transactions"]
    assert [one["transferType"] for one in told] == ["OUT", "IN", "IN"]
    assert told[1]["content"] == MEMO
    assert len({one["id"] for one in told}) == 3


def test_pay2s_has_the_fields_and_types_of_its_sample(bank: BankWorld) -> None:
    bank.pay()
    (told,) = bank.shop.heard[0].json["transactions"]
    assert {name: type(value) for name, value in told.items()} == {
        "id": str,
        "gateway": str,
        "transactionDate": str,
        "transactionNumber": str,
        "accountNumber": str,
        "content": str,
        "transferType": str,
        "transferAmount": int,
        "checksum": str,
    }
    assert told["gateway"] == "VCB"
    assert len(bytes.fromhex(told["checksum"])) == 16


def test_sepay_proves_itself_by_its_api_key_where_there_is_no_secret() -> None:
    with bank_opened(sepay_secret=None, sepay_api_key="a key") as bank:
        bank.pay(feed="sepay")
        (heard,) = bank.shop.heard
        assert heard.headers["Authorization"] == "Apikey a key"
        assert "X-Sepay-Signature" not in heard.headers


def test_cassos_signer_agrees_with_cassos_own_sample() -> None:
    (vector,) = json.loads((VECTORS / "casso.json").read_text())["casso_v2"]
    at, given = (part.split("=")[1] for part in vector["header"].split(": ")[1].split(","))
    ordered = vector["string_to_sign"].partition(".")[2]
    assert mac(vector["checksum_key"], f"{at}.{ordered}", "sha512") == given
    text = json.dumps(vector["body"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert text == ordered, "and this is how the simulator writes it"


@pytest.mark.parametrize(("feed", "sign"), [("sepay", "out"), ("casso", "-")])
def test_money_that_leaves_is_told_as_such(bank: BankWorld, feed: str, sign: str) -> None:
    bank.pay(feed=feed, outgoing=True)
    told = bank.shop.heard[0].json
    if feed == "sepay":
        assert told["transferType"] == sign
    else:
        assert told["data"]["amount"] == -420_000


def test_payos_says_nothing_of_money_that_leaves(bank: BankWorld) -> None:
    assert bank.pay(feed="payos", outgoing=True)["callbacks"] == []


@pytest.mark.parametrize("feed", KEYS)
def test_out_of_order_tells_the_oldest_line_last(bank: BankWorld, feed: str) -> None:
    told = bank.pay(feed=feed, reorder=True)
    older, ours = told["lines"]
    assert (ours["content"], older["amount"]) == (MEMO, 35_000)
    assert [line_of(heard)[2] for heard in bank.shop.heard] == [MEMO, older["content"]]


def test_silent_tells_nobody_and_the_line_is_there(bank: BankWorld) -> None:
    told = bank.pay(silent=True, twice=True)
    assert (told["callbacks"], bank.shop.heard) == ([], [])
    assert [line["content"] for line in told["lines"]] == [MEMO]


def test_it_can_be_sent_again_and_is_then_true(bank: BankWorld) -> None:
    told = bank.pay(forged=True)
    bank.post(f"/bank/payments/{told['payment']}/resend", json={})
    bank.settled(told["payment"])
    assert [is_proven(heard) for heard in bank.shop.heard] == [False, True]


@pytest.mark.parametrize(
    ("answers", "tries"),
    [
        ([(500, SUCCESS), (200, "{}"), (204, ""), (200, '{"success": false}')], 5),
        ([(201, SUCCESS), (200, "success"), (200, '["success"]'), (200, "[" * 150)], 5),
        ([(500, "")] * 20, 7),
    ],
    ids=["not both", "not so", "never"],
)
def test_pay2s_wants_200_and_success_and_tries_six_times_more(
    bank: BankWorld, answers: list[tuple[int, str]], tries: int
) -> None:
    bank.shop.answers = answers
    told = bank.pay(feed="pay2s")
    assert [len(one["tries"]) for one in told["callbacks"]] == [tries]
    assert told["callbacks"][0]["state"] == ("answered" if tries < 7 else "given up")


def test_sepay_takes_any_2xx_and_tries_seven_times_more(bank: BankWorld) -> None:
    bank.shop.answers = [(500, ""), (201, "")]
    assert len(bank.pay(feed="sepay")["callbacks"][0]["tries"]) == 2
    bank.shop.answers = [(500, "")] * 20
    assert len(bank.pay(feed="sepay")["callbacks"][0]["tries"]) == 8


def test_the_first_of_two_secrets_signs() -> None:
    with bank_opened(casso_key=f"{SECRETS['casso_key']}, an older one") as bank:
        bank.pay(feed="casso")
        assert is_proven(bank.shop.heard[0])


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.key)
def test_each_noise_leaves_or_breaks_the_memo_as_it_says(bank: BankWorld, noise: object) -> None:
    key, whole = noise.key, noise.whole  # type: ignore[attr-defined]
    told = bank.pay(noise=key)
    (line,) = told["lines"]
    assert (MEMO in line["content"].upper()) is whole
    assert told["memo"] == MEMO, "the payer has typed it right"


def test_the_same_seed_tells_the_same_story() -> None:
    stories = []
    for seed in (7, 7, 8):
        with bank_opened(seed) as bank:
            told = bank.pay()
            stories.append((told["payment"], told["lines"][0]["id"]))
    assert stories[0] == stories[1] != stories[2]


def test_a_feed_that_the_shop_has_not_set_up_cannot_tell() -> None:
    with bank_opened(pay2s_token=None, gateway=None) as bank:
        assert bank.ask(feed="pay2s").status_code == 400
        assert bank.ask(feed="pay2s-gateway").status_code == 400
        assert bank.pay()["feed"] == "sepay", "the first that there is"
        assert bank.post("/pay2s/v1/gateway/api/create", json={}).status_code == 404


def test_an_empty_statement_makes_no_callback() -> None:
    keys = BankKeys("http://shop.test/callbacks", casso_key="key")
    assert casso(Teller(keys, 0), []) == []
