"""What an option of a portal's own is probably like, from the words of its label: a first guess for people to check.

Guesses are made once, when portal.yaml is drafted. Nothing decides on a contact by them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

STATUS_WORDS: Mapping[str, str] = {
    "new": "new, fresh, incoming, inbound, uncontacted, untouched, unassigned, unworked, not contacted, nouveau, "
    "neu, baru",
    "attempting": "attempt*, contacting, contacted, tried, trying, voicemail, left message, no answer, no show, "
    "called, emailed, e mailed, outreach, in sequence, sequence, cadence, follow up, kontaktversuch, relance*, "
    "dihubungi",
    "connected": "connected, demo*, meeting*, call booked, appointment*, booked, replied, responded, engaged, reached, "
    "conversation, spoke*, security, review, verbunden, termin, rendez vous, rdv, reunion, terhubung",
    "working": "working, in progress, discovery, evaluation, evaluating, qualifying, negotiat*, "
    "in bearbeitung, en cours",
    "qualified": "qualified, qualifie, qualifiziert, sql, accepted, sales ready, bant",
    "unqualified": "unqualified, not qualified, non qualifie, unqualifiziert, no fit, not a fit",
    "converted": "converted, open deal, deal created, in deal, deal open, opportunity, konvertiert, converti",
    "nurture": "nurtur*, not ready, long term, future, later, warm up",
    "bad_timing": "bad timing, timing, deal lost, closed lost, lost, on hold, postponed, mauvais moment",
    "disqualified": "disqualif*, junk, spam, invalid, duplicate, bounced, bad fit, wrong number, wrong person, dead, "
    "not interested, competitor, do not contact, unsubscribed, opted out, unresponsive",
    "recycled": "recycl*, re engaged, reengaged, reactivat*, reopened, re opened, revived",
    "customer": "customer, client, kunde, bestandskunde, pelanggan, won, closed won",
}
STAGE_WORDS: Mapping[str, str] = {
    "subscriber": "subscriber, newsletter, blog",
    "lead": "lead, prospect, inquiry, enquiry, hand raiser",
    "mql": "marketing qualified, mql, marketing engaged",
    "sal": "sales accepted, sal, accepted",
    "sql": "sales qualified, sql, qualified",
    "opportunity": "opportunity, proposal, pipeline, negotiation, trial, pilot, poc, demo*, evaluation",
    "customer": "customer, client, onboarding, live, renewal, account",
    "evangelist": "evangelist, advocate, champion, promoter, ambassador, referrer",
    "other": "other, partner*, vendor, supplier, employee, competitor, press, investor, applicant, student, lost, "
    "dead, disqualif*, unqualified, churn*, former, inactive, archived, not a fit",
}
NEAR = 0.8
"""How alike two labels must be (difflib's ratio) to be taken for the same."""


@dataclass(frozen=True, slots=True)
class Guess:
    """The key that an option is probably like. Not `sure`: words of several keys occur in it, or it is merely near."""

    like: str
    sure: bool


def guess(label: str, words: Mapping[str, str], labels: Mapping[str, Sequence[str]]) -> Guess | None:
    """What a label is like: by words it holds, else by its likeness to the labels of each key; None without a clue."""
    text = _plain(label)
    hits = [hit for key, phrases in words.items() for hit in _hits(text, key, phrases.split(", "))]
    # "not qualified" is one clue, not two: what lies within a longer phrase doesn't count.
    free = [h for h in hits if not any(o[0] <= h[0] and h[1] <= o[1] and o[1] - o[0] > h[1] - h[0] for o in hits)]
    if free:
        longest = max(free, key=lambda hit: hit[1] - hit[0])
        return Guess(longest[2], sure=len({hit[2] for hit in free}) == 1)
    near = max(((likeness(text, _plain(one)), key) for key, many in labels.items() for one in many), default=(0.0, ""))
    if near[0] < 0.6:
        return None
    return Guess(near[1], sure=near[0] >= NEAR)


def likeness(one: str, other: str) -> float:
    """How alike two labels are, 0 to 1."""
    return SequenceMatcher(None, _plain(one), _plain(other)).ratio()


def between(guessed: str | None, before: str | None, after: str | None, order: Sequence[str]) -> str | None:
    """A stage's likeness held against its place: what lies between its neighbours may stand, else the one before it.

    `before` and `after` are the nearest known stages in the portal's order; `order` is that of the rule files.
    """
    if guessed in order:
        at = order.index(guessed)
        lower = order.index(before) if before in order else 0
        upper = order.index(after) if after in order else len(order) - 1
        if lower <= at <= upper:
            return guessed
    return before or after


def key_of(label: str, taken: Iterable[str]) -> str:
    """A key for an option, from its label: letters, digits and underscores, not among `taken`."""
    plain = re.sub(r"[^a-z0-9]+", "_", _plain(label)).strip("_")[:40].strip("_")
    if not plain or plain[0].isdigit():
        plain = f"option_{plain}".rstrip("_")
    used = {*taken, "none", "null"}
    return next(
        key for number in range(1, len(used) + 2) if (key := plain if number == 1 else f"{plain}_{number}") not in used
    )


def _plain(text: str) -> str:
    """Without accents, capitals, and anything but words between single blanks."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", bare.replace("_", " ").casefold()))


def _hits(text: str, key: str, phrases: Iterable[str]) -> list[tuple[int, int, str]]:
    """Where phrases of a key occur in a text, as whole words; a phrase that ends in * may go on."""
    found = []
    for phrase in phrases:
        ending = r"\w*" if phrase.endswith("*") else r"\b"
        pattern = rf"\b{re.escape(phrase.rstrip('*'))}{ending}"
        found += [(hit.start(), hit.end(), key) for hit in re.finditer(pattern, text)]
    return found
