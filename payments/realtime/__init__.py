"""Sockets: tells facts to whoever watches. It reads, and decides nothing."""

from payments.realtime.consumer import Background, start_background
from payments.realtime.handlers import register
from payments.realtime.server import Sockets, make_socketio

__all__ = ["Background", "Sockets", "make_socketio", "register", "start_background"]
