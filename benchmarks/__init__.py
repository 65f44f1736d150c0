"""`python -m benchmarks`: what a callback, a push and an open page cost, beside a plain program."""
