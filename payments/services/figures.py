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

SOCKET_ROOMS = Gauge("paychime_socket_rooms", "Rooms in which somebody of this process stands")

SOCKET_MESSAGES = Counter(
    "paychime_socket_messages_total",
    "Events heard from sockets, and told to rooms or sockets",
    ["direction"],
)

CRITICAL_EVENTS = Counter(
    "paychime_critical_events_total",
    "Events that listeners have to acknowledge, by how their delivery ended",
    ["end"],
)

OUTBOX_LAG = Gauge("paychime_outbox_lag_facts", "Committed facts that have still to be published")

QUEUE_LAG = Gauge("paychime_queue_lag_facts", "Published facts that this process has still to tell")

OUTBOX_LAG_SECONDS = Gauge(
    "paychime_outbox_lag_seconds", "Since when the oldest of them waits; 0 where none does"
)

QUEUE_HEALTHY = Gauge(
    "paychime_queue_healthy", "1 where this process hears the others by Redis, or needs none"
)

DATABASE_UP = Gauge("paychime_database_up", "1 where the database answered this very reading")

PAYOUTS = Counter(
    "paychime_payouts_total",
    "Calls about customers' withdrawals, by what came of them: sent, refused, lost, away, asked",
    ["rail", "outcome"],
)

CIRCUIT_OPEN = Gauge(
    "paychime_provider_circuit_open",
    "1 where this process leaves a rail in peace, because it does not answer",
    ["rail"],
)

WAITING = Gauge("paychime_waiting_for_staff", "What only people can end, by what it is", ["what"])

RESPONSES = Counter(
    "paychime_responses_total",
    "Answers to requests, sockets apart, by who answered and with which status",
    ["endpoint", "status"],
)

LOOP_FAILURES = Counter(
    "paychime_loop_failures_total", "Steps that failed of what goes on by itself", ["loop"]
)

WEBHOOKS = Counter(
    "paychime_webhook_tries_total",
    "Tries to tell the shop's own systems, by what became of them",
    ["outcome"],
)

WEBHOOKS_WAITING = Gauge(
    "paychime_webhook_deliveries_waiting", "Messages that endpoints have still to take"
)

UNSEALED = Gauge("paychime_ledger_unsealed_postings", "Postings that the chain does not hold yet")
