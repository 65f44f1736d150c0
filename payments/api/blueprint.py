"""The one blueprint of the JSON API; each module of this package adds its own routes."""

from flask import Blueprint

api = Blueprint("api", __name__, url_prefix="/api/v1")
