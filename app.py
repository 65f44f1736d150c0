"""The application, for `flask --app app` and for `wsgi.py`."""

from payments.bootstrap import create_app

__all__ = ["create_app"]
