"""A bank's app and those who read its statements, pretended.

A person pays a VietQR in the app. The bank keeps lines of the account, and one of the shop's
feeds tells the shop of them, in that feed's own form and under its own proof.

keys      what the shop has registered with each feed
qr        the text of a VietQR, read as a bank reads it
noise     what banks make of a memo
book      the tables
feeds     Pay2S, SePay, Casso, payOS: what each sends
gateway   Pay2S's gateway: create, its page's link, its notice (IPN)
app       what paying does
pages     the app and Pay2S's page on the web
routes    the addresses
"""

from .keys import BankKeys, GatewayKeys
from .routes import blueprint

__all__ = ["BankKeys", "GatewayKeys", "blueprint"]
