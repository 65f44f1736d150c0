"""The one blueprint of the customers' pages; each module of this package adds its own routes."""

from flask import Blueprint

web = Blueprint("web", __name__)
