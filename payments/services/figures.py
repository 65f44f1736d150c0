"""The figures of `/metrics`. Counted in this process; Prometheus adds the processes up."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

CALLBACKS = Counter(
    "paychime_callbacks_total",
    "Callbacks received, by what became of them",
    ["provider", "verdict"],
)

CALLBACK_TO_EMIT = Histogram(
    "paychime_callback_to_emit_seconds",
    "From the moment a change was made to its push to this process's pages",
    buckets=_SECONDS,
)

CALLBACK_TO_SEEN = Histogram(
    "paychime_callback_to_seen_seconds",
    "From the moment a change was made to a payer's page saying that it shows it",
    buckets=_SECONDS,
)

OPEN_SOCKETS = Gauge("paychime_open_sockets", "Connections of the socket engine in this process")

SOCKET_PACKETS_DROPPED = Counter(
    "paychime_socket_packets_dropped_total", "What sockets sent that was not taken", ["reason"]
)

SOCKETS_CLOSED = Counter(
    "paychime_sockets_closed_total", "Sockets that the server closed", ["reason"]
)

OUTBOX_LAG = Gauge("paychime_outbox_lag_facts", "Committed facts that have still to be published")

QUEUE_LAG = Gauge("paychime_queue_lag_facts", "Published facts that this process has still to tell")
