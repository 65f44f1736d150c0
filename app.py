"""The application, for `flask --app app`. `wsgi.py` makes its own, after it has gone green."""

from flask import Flask

from payments import bootstrap
from payments.settings import BadSetting


def create_app() -> Flask:
    """Ends the command with the setting's name, and no traceback, where one is wrong."""
    try:
        return bootstrap.create_app()
    except BadSetting as fault:
        raise SystemExit(str(fault)) from fault
