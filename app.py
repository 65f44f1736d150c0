"""The application, for `flask --app app`. `wsgi.py` makes its own, after it has gone green."""

import gc

from flask import Flask

# What is imported stays for good: to look through it for rubbish costs a fifth of the start.
gc.disable()
from payments import bootstrap  # noqa: E402
from payments.settings import BadSetting  # noqa: E402

gc.freeze()
gc.enable()


def create_app() -> Flask:
    """Ends the command with the setting's name, and no traceback, where one is wrong."""
    try:
        return bootstrap.add_commands(bootstrap.create_app())
    except BadSetting as fault:
        raise SystemExit(str(fault)) from fault
