"""The allowance: used nearly to the full, never overdrawn, shared with others. Time is simulated throughout."""

from __future__ import annotations

import heapq
import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from hubsync.errors import PortalTemporaryError, RateLimited
from hubsync.portal.limiter import MARGIN, Lane, Limiter, RollingWindow, Ticket
from tests.portal.conftest import FakeTime


@dataclass
class FakePortal:
    """A rolling window as HubSpot keeps it: by arrival, over all consumers of the token."""

    allowed: int
    seconds: float = 10.0
    arrivals: deque[float] = field(default_factory=deque)
    refused: int = 0

    def arrive(self, at: float) -> int | None:
        """Remaining calls after this one; None for a 429."""
        while self.arrivals and self.arrivals[0] <= at - self.seconds:
            self.arrivals.popleft()
        if len(self.arrivals) >= self.allowed:
            self.refused += 1
            return None
        self.arrivals.append(at)
        return self.allowed - len(self.arrivals)


def simulate(
    portal: FakePortal,
    latency: Callable[[], float],
    *,
    seconds: float,
    in_flight: int,
    other: Callable[[float, int], float] | None = None,
    known: bool = True,
) -> tuple[int, int]:
    """Run our window against the portal at full speed; gives our calls that were answered well, and those refused.

    `other` is a second consumer: called with the time and the remaining calls it saw, it says when it calls next.
    """
    window = RollingWindow(portal.allowed if known else 100, portal.seconds, burst=0.1, margin=MARGIN)
    events: list[tuple[float, int, str, int, int | None]] = [(0.0, 0, "try", 0, None)]
    if other is not None:
        events.append((0.05, 1, "other", 0, None))
    order, busy, good, refused = 2, 0, 0, 0

    def push(at: float, kind: str, number: int = 0, remaining: int | None = None) -> None:
        nonlocal order
        order += 1
        heapq.heappush(events, (at, order, kind, number, remaining))

    while events:
        now, _, kind, number, remaining = heapq.heappop(events)
        if now > seconds:
            break
        if kind == "other" and other is not None:
            left = portal.arrive(now)
            portal.refused -= left is None  # theirs, not ours
            push(other(now, left or 0), "other")
        elif kind == "arrive":
            push(now + latency() / 2, "answer", number, portal.arrive(now))
        elif kind == "answer":
            busy -= 1
            good, refused = (good + 1, refused) if remaining is not None else (good, refused + 1)
            window.allowed = portal.allowed
            window.answered(number, now, remaining)
            if busy == in_flight - 1:
                push(now, "try")
        elif busy < in_flight:
            wait = window.wait(now)
            if wait > 0:
                push(now + max(wait, 1e-6), "try")
            else:
                busy += 1
                window.sent(order, now)
                push(now + latency() / 2, "arrive", order)
                if busy < in_flight:
                    push(now, "try")
    return good, refused


@pytest.mark.parametrize("allowed", [100, 190, 250])
@pytest.mark.parametrize(
    ("low", "high", "in_flight"), [(0.001, 0.003, 4), (0.1, 0.1, 6), (0.05, 0.15, 8), (0.02, 0.6, 24)]
)
def test_at_full_speed_nearly_all_of_the_allowance_is_used_and_nothing_refused(
    allowed: int, low: float, high: float, in_flight: int
) -> None:
    dice = random.Random(7)
    good, refused = simulate(FakePortal(allowed), lambda: dice.uniform(low, high), seconds=120, in_flight=in_flight)
    share = 0.95 if high <= 0.15 else 0.92
    assert refused == 0
    assert good >= share * allowed * 12


def test_what_is_taken_of_the_allowance_counts_us_and_others_and_passes() -> None:
    time = FakeTime()
    limiter = Limiter(time.clock, time.sleep)
    assert limiter.used == 0
    for _ in range(10):
        limiter.answered(limiter.acquire(Lane.INTERACTIVE), {"X-HubSpot-RateLimit-Max": "100"})
    assert limiter.used == pytest.approx(0.1)
    ticket = limiter.acquire(Lane.INTERACTIVE)
    limiter.answered(ticket, {"X-HubSpot-RateLimit-Max": "100", "X-HubSpot-RateLimit-Remaining": "49"})
    assert limiter.used == pytest.approx(0.5, abs=0.02)
    time.sleep(60)
    assert limiter.used == 0


def test_before_the_portals_own_allowance_is_known_the_smallest_is_assumed() -> None:
    good, refused = simulate(FakePortal(250), lambda: 0.1, seconds=60, in_flight=8, known=False)
    assert refused == 0
    assert good >= 0.95 * 250 * 6


@pytest.mark.parametrize("theirs", [20, 60, 120])
def test_a_steady_second_consumer_keeps_its_share_and_we_use_the_rest(theirs: int) -> None:
    dice = random.Random(3)
    portal = FakePortal(190)
    good, refused = simulate(
        portal, lambda: dice.uniform(0.08, 0.12), seconds=120, in_flight=8, other=lambda now, _: now + 10 / theirs
    )
    assert refused == 0
    assert good >= 0.8 * (190 - theirs) * 12


def test_a_second_consumer_that_comes_in_bursts_gets_its_calls_and_we_go_on() -> None:
    dice = random.Random(5)
    portal = FakePortal(190)
    burst = {"left": 0}

    def other(now: float, _: int) -> float:
        burst["left"] = burst["left"] - 1 if burst["left"] else 30
        return now + (0.02 if burst["left"] else 12.0)

    good, refused = simulate(portal, lambda: dice.uniform(0.08, 0.12), seconds=240, in_flight=8, other=other)
    assert refused <= 0.01 * good
    assert good >= 0.6 * 190 * 24


def test_a_consumer_that_takes_all_it_can_get_does_not_starve_us() -> None:
    dice = random.Random(9)
    portal = FakePortal(190)

    def greedy(now: float, remaining: int) -> float:
        return now + (0.01 if remaining else 0.2)

    good, _ = simulate(portal, lambda: dice.uniform(0.08, 0.12), seconds=120, in_flight=8, other=greedy)
    assert good >= 0.02 * 190 * 12


def test_a_consumer_that_has_gone_is_forgotten_within_half_a_minute() -> None:
    dice = random.Random(11)
    portal = FakePortal(190)
    good, refused = simulate(
        portal,
        lambda: dice.uniform(0.08, 0.12),
        seconds=160,
        in_flight=8,
        other=lambda now, _: now + (0.1 if now < 20 else 1000.0),
    )
    assert refused == 0
    assert good >= 0.95 * 190 * 11 + 0.8 * 90 * 5  # five intervals with room for the other, eleven without


def test_searches_are_kept_to_five_in_any_second(fake_time: FakeTime) -> None:
    limiter = Limiter(fake_time.clock, fake_time.sleep)
    sent = []
    for _ in range(21):
        ticket = limiter.acquire(Lane.BULK, search=True)
        sent.append(ticket.sent)
        limiter.answered(ticket)
    assert all(later - earlier >= 1.0 for earlier, later in zip(sent, sent[5:], strict=False))
    assert sent[-1] - sent[0] == pytest.approx(4 * 1.05)


def test_searches_and_other_calls_do_not_wait_for_each_other(fake_time: FakeTime) -> None:
    limiter = Limiter(fake_time.clock, fake_time.sleep)
    for _ in range(5):
        limiter.answered(limiter.acquire(Lane.BULK, search=True))
    limiter.pause(60, search=True)
    limiter.answered(limiter.acquire(Lane.BULK))
    assert fake_time.slept == []


def test_a_pause_holds_every_caller(fake_time: FakeTime) -> None:
    limiter = Limiter(fake_time.clock, fake_time.sleep)
    limiter.pause(10)
    assert limiter.acquire(Lane.INTERACTIVE).sent == pytest.approx(1010)


def test_after_a_pause_calls_are_spread_and_not_sent_in_a_burst(fake_time: FakeTime) -> None:
    limiter = Limiter(fake_time.clock, fake_time.sleep)
    limiter.pause(10)
    sent = []
    for _ in range(10):
        ticket = limiter.acquire(Lane.BULK)
        sent.append(ticket.sent)
        limiter.answered(ticket)
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert min(gaps) == pytest.approx(10 / limiter.budget)


def test_a_pause_past_the_deadline_is_an_error_and_not_a_wait(fake_time: FakeTime) -> None:
    limiter = Limiter(fake_time.clock, fake_time.sleep)
    limiter.pause(3600)
    with pytest.raises(PortalTemporaryError, match="HubSpot asks to wait 3600 s"):
        limiter.acquire(Lane.BULK, deadline=fake_time.seconds + 600)
    assert fake_time.slept == []


def test_a_spent_day_refuses_everyone_until_it_is_over(fake_time: FakeTime) -> None:
    limiter = Limiter(fake_time.clock, fake_time.sleep)
    limiter.day_spent(3600)
    with pytest.raises(RateLimited) as caught:
        limiter.acquire(Lane.INTERACTIVE)
    assert caught.value.daily
    assert caught.value.retry_after == pytest.approx(3600)
    fake_time.seconds += 3600
    assert limiter.acquire(Lane.INTERACTIVE).sent == fake_time.seconds


def test_a_day_that_was_nearly_spent_is_looked_at_again_later(fake_time: FakeTime) -> None:
    limiter = Limiter(fake_time.clock, fake_time.sleep)
    headers = {"X-HubSpot-RateLimit-Daily": "1000", "X-HubSpot-RateLimit-Daily-Remaining": "10"}
    limiter.answered(limiter.acquire(Lane.BULK), headers)
    with pytest.raises(RateLimited):
        limiter.acquire(Lane.BULK)
    fake_time.seconds += 601
    assert limiter.acquire(Lane.BULK).sent == fake_time.seconds


def test_interactive_calls_go_before_bulk(fake_time: FakeTime) -> None:
    order: list[str] = []
    waiting, go = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        if threading.current_thread() is urgent:
            waiting.set()
            assert go.wait(10)
        else:
            go.set()
            urgent.join(10)
            fake_time.sleep(seconds)

    limiter = Limiter(fake_time.clock, sleep)

    def interactive() -> None:
        limiter.answered(limiter.acquire(Lane.INTERACTIVE))
        order.append("interactive")

    urgent = threading.Thread(target=interactive)
    limiter.pause(5)
    urgent.start()
    assert waiting.wait(10)
    fake_time.seconds += 5  # a place is free, and the interactive caller hasn't looked yet
    limiter.answered(limiter.acquire(Lane.BULK))
    order.append("bulk")
    urgent.join(10)
    assert order == ["interactive", "bulk"]


def test_headers_that_are_no_numbers_teach_nothing(fake_time: FakeTime) -> None:
    limiter = Limiter(fake_time.clock, fake_time.sleep)
    ticket: Ticket = limiter.acquire(Lane.BULK)
    limiter.answered(ticket, {"X-HubSpot-RateLimit-Max": "many", "X-HubSpot-RateLimit-Remaining": "-5"})
    assert limiter.allowance == 100
