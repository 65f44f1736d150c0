"""How much is measured: every count and every time has a bound here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. A slice is one system's turn in one round; rounds alternate the systems.

    A slice ends with its last callback or after `slice_seconds`, whichever comes first.
    """

    rounds: int
    connections: tuple[int, ...]
    """Each of these numbers is a case of its own."""
    callbacks: int
    """At most, in a slice."""
    peer_callbacks: int
    slice_seconds: float
    warm_up: int
    commit_rounds: int
    commits: int
    push_rounds: int
    pages: int
    """Open sockets, each of which is told of one callback."""
    in_flight: tuple[int, ...]
    join_rounds: int
    joined: int
    """Pages whose joining is timed."""
    open_pages: int
    """Pages that the memory is divided by; the timed ones are among them."""
    at_once: int
    """Pages that are joining at any moment."""

    def callbacks_of(self, system: str) -> int:
        """The peer does more in the same time."""
        return self.peer_callbacks if system.startswith("peer") else self.callbacks

    @property
    def first_pages(self) -> int:
        """Opened and closed again before any is counted."""
        return max(1, self.joined // 10)

    @property
    def all_pages(self) -> int:
        return self.first_pages + self.open_pages

    def orders_of(self, system: str) -> int:
        """How many orders a server needs in the whole run."""
        slices = len(self.connections) * self.callbacks_of(system)
        watched = len(self.in_flight) * self.pages
        pushed = self.push_rounds * watched
        return self.warm_up + self.rounds * slices + pushed + self.all_pages

    @property
    def orders_of_a_floor(self) -> int:
        return self.commit_rounds * (self.warm_up + self.commits)


FULL = Plan(
    rounds=4,
    connections=(8, 32),
    callbacks=600,
    peer_callbacks=2_000,
    slice_seconds=3.0,
    warm_up=150,
    commit_rounds=3,
    commits=600,
    push_rounds=3,
    pages=200,
    in_flight=(1, 8),
    join_rounds=3,
    joined=300,
    open_pages=500,
    at_once=40,
)

QUICK = Plan(
    rounds=2,
    connections=(8,),
    callbacks=200,
    peer_callbacks=800,
    slice_seconds=1.0,
    warm_up=30,
    commit_rounds=1,
    commits=200,
    push_rounds=1,
    pages=50,
    in_flight=(1,),
    join_rounds=1,
    joined=80,
    open_pages=120,
    at_once=40,
)

TINY = Plan(
    rounds=1,
    connections=(2,),
    callbacks=6,
    peer_callbacks=6,
    slice_seconds=10.0,
    warm_up=2,
    commit_rounds=1,
    commits=5,
    push_rounds=1,
    pages=3,
    in_flight=(1,),
    join_rounds=1,
    joined=4,
    open_pages=6,
    at_once=4,
)
"""Shows that everything runs and that the checks hold; its figures mean nothing."""
