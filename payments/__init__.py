"""Paychime: checkout pages that flip live the moment money arrives."""

__version__ = "0.1.0"
