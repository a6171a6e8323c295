"""A verdict as text and as data, for the command line and the log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hubsync.proving.checks import Fault
from hubsync.proving.ground import Ground
from hubsync.proving.prove import Verdict
from hubsync.proving.telling import case, position, story

PROVED = "it settles, its outcome is determined, nothing is forgotten, nothing is unsafe"


def counts(verdict: Verdict) -> str:
    """How much was looked at."""
    return (
        f"{verdict.cells:,} combinations, {sum(verdict.classes.values()):,} classes of contacts, "
        f"{verdict.decisions:,} decisions, at rest after {verdict.steps} writes at most, {verdict.seconds:.1f} s"
    )


def lines(ground: Ground, verdict: Verdict) -> Iterator[str]:
    """Everything, as text."""
    for fault in verdict.faults:
        yield f"{headline(ground, fault)}"
        yield from (f"    {line}" for line in story(ground, fault))
        shown = case(ground, fault)
        if shown:
            yield "  as a case:"
            yield from (f"    {line}" for line in shown.splitlines())
    for name in verdict.unproved:
        yield f"not proved: {name}"
    for note in verdict.notes:
        yield f"note: {note.message}"
    yield f"Proved: {PROVED}." if verdict.holds else f"Not proved: {faults_and_gaps(verdict)}."
    yield f"({counts(verdict)})"


def in_short(ground: Ground, verdict: Verdict) -> Iterator[str]:
    """What is wrong or not proved, a line each, and the verdict."""
    yield from wrong(ground, verdict)
    if verdict.holds:
        yield f"Proved: {PROVED} ({counts(verdict)})."
    else:
        yield f"Not proved: {faults_and_gaps(verdict)}; `hubsync rules prove` tells how it comes about."


def wrong(ground: Ground, verdict: Verdict) -> Iterator[str]:
    """Every fault and everything that is left unproved, a line each."""
    yield from (headline(ground, fault) for fault in verdict.faults)
    yield from (f"not proved: {name}" for name in verdict.unproved)


def headline(ground: Ground, fault: Fault) -> str:
    """A fault in one line, with where its first rule stands."""
    place = next((p for p in (position(ground.loaded, rule) for rule in fault.rules) if p), "")
    return f"{place}: {fault.kind}: {fault.message}" if place else f"{fault.kind}: {fault.message}"


def faults_and_gaps(verdict: Verdict) -> str:
    """How many faults, and how much that couldn't be proved."""
    faults = f"{len(verdict.faults)} fault{'' if len(verdict.faults) == 1 else 's'}"
    return faults + (f", {len(verdict.unproved)} left unproved" if verdict.unproved else "")


def as_data(ground: Ground, verdict: Verdict) -> dict[str, Any]:
    """Everything, as data for JSON."""
    return {
        "proved": verdict.holds,
        "combinations": verdict.cells,
        "classes": dict(verdict.classes),
        "decisions": verdict.decisions,
        "steps": verdict.steps,
        "seconds": round(verdict.seconds, 2),
        "faults": [_fault(ground, fault) for fault in verdict.faults],
        "notes": [_fault(ground, fault) for fault in verdict.notes],
        "unproved": verdict.unproved,
    }


def _fault(ground: Ground, fault: Fault) -> dict[str, Any]:
    return {
        "kind": fault.kind,
        "message": fault.message,
        "rules": [{"id": rule, "where": position(ground.loaded, rule)} for rule in fault.rules],
        "story": list(story(ground, fault)),
        "case": case(ground, fault),
    }
