"""Plain Python: no Flask, no SQL, no Redis, no clock, no network.

What is true of money and orders.
"""
