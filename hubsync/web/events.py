"""What HubSpot's webhooks ask hubsync to look at: body bytes in, ids out (hubspot-api.md 7).

An event only says *look at this contact*: its values are left behind, they may be late, repeated or our own echo. Pure,
and without exceptions: whatever can't be used is counted under its reason, since HubSpot repeats what is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

import msgspec
import orjson

from hubsync.service.intake import Hint

KINDS = {
    "0-1": "contacts",
    "0-3": "deals",
    "0-49": "emails",
    "0-48": "calls",
    "0-47": "meetings",
    "0-18": "communications",
}
"""Object type ids of what bears on a contact's status (hubspot-api.md 5), and hubsync's names for them."""
NOUNS = {"contact": "contacts", "deal": "deals"}
"""What legacy subscriptions begin with; `object` stands for any, with an objectTypeId."""
ACTIONS = frozenset(
    {"creation", "deletion", "propertyChange", "merge", "restore", "associationChange", "privacyDeletion"}
)
ECHO = timedelta(seconds=15)
"""Our own write is looked at after itself; its echo only has to come after that."""

OWN_WRITE = "webhook: own write"
AT_ONCE = timedelta(0)

UNLIKE_OTHERS = frozenset({"merge", "associationChange", "privacyDeletion"})
"""Actions that name other records than `objectId`, or ask for more than a look."""

_ID = re.compile(r"[1-9][0-9]{0,19}")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a body asks for: each item once, contacts to be erased, and what was left out, by reason.

    `used` counts the events or records behind hints and erasures.
    """

    hints: tuple[Hint, ...] = ()
    erased: tuple[str, ...] = ()
    ignored: tuple[tuple[str, int], ...] = ()
    used: int = 0


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose events these must be: the portal's, and the number of our app, by which its own writes are known."""

    portal: int
    app: str | None = None


class _Asked(NamedTuple):
    """Why something is to be looked at, and when."""

    why: str
    delay: timedelta


@dataclass(slots=True)
class _Notes:
    """What has been read so far. An item that several events name is looked at at the earliest of their times."""

    asked: dict[str, _Asked] = field(default_factory=dict)
    erased: dict[str, None] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)
    used: int = 0

    def note(self, items: Iterable[str], asked: _Asked) -> None:
        for item in items:
            known = self.asked.get(item)
            if known is None or known.delay > asked.delay:
                self.asked[item] = asked

    def parsed(self) -> Parsed:
        together: dict[_Asked, list[str]] = {}
        for item, asked in self.asked.items():
            if item not in self.erased:
                together.setdefault(asked, []).append(item)
        hints = tuple(Hint(tuple(items), *asked) for asked, items in together.items())
        return Parsed(hints, tuple(self.erased), tuple(sorted(self.ignored.items())), self.used)


class _Usual(NamedTuple):
    """What a kind of event asks for, and what stands before its record's id."""

    prefix: str
    asked: _Asked


class _Unusable(Exception):
    """Why an event can't be used; never leaves this module."""


class _Subject(NamedTuple):
    """What a subscription is about: its noun, hubsync's kind of object (None: another) and what happened."""

    noun: str
    kind: str | None
    action: str
    why: str


def id_of(value: object) -> str | None:
    """The value as an id where it is one: a positive decimal number of at most 20 digits, as text or as a number."""
    if type(value) is int:
        return str(value) if 0 < value < 10**20 else None
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def text_of(value: object) -> str | None:
    """A short value as text; None for anything else, whose text might be of any size or depth."""
    return str(value) if isinstance(value, str | int) else None


class _Plain(msgspec.Struct, gc=False):
    """What is read of an event where a body holds only such as have plain ids and names: the rest is skipped."""

    objectId: Annotated[int, msgspec.Meta(gt=0, le=2**62)]  # noqa: N815  (HubSpot's names)
    subscriptionType: str  # noqa: N815
    portalId: int  # noqa: N815
    objectTypeId: str | None = None  # noqa: N815
    changeSource: str | None = None  # noqa: N815
    sourceId: str | None = None  # noqa: N815


class _Kind(NamedTuple):
    """Of an event what says what it asks for."""

    portal: int
    said: str
    type_id: str | None
    change_source: str | None
    source_id: str | None


_plain = msgspec.json.Decoder(list[_Plain])
_kind_of = attrgetter("portalId", "subscriptionType", "objectTypeId", "changeSource", "sourceId")


def parse_events(body: bytes, expected: Expected) -> Parsed:
    """An app's events: an array of them, legacy (`contact.propertyChange`) or generic (`object.*`), or a single one."""
    usual = _all_usual(body, expected)
    if usual is not None:
        return usual
    document = _decoded(body)
    if isinstance(document, dict) and _type_of(document) is not None:
        document = [document]
    if not isinstance(document, list):
        return Parsed(ignored=(("not a list of events", 1),))
    notes = _Notes()
    for event in document:
        try:
            _read(event, expected, notes)
            notes.used += 1
        except _Unusable as reason:
            notes.ignored[str(reason)] += 1
    return notes.parsed()


def _all_usual(body: bytes, expected: Expected) -> Parsed | None:
    """The body's events where they are all like most: something happened to a record of the portal with a plain id.

    None where one is not; then they are read one by one. Thousands of events a second come this way: a body holds few
    kinds of them, most often one, and each kind is worked out once.
    """
    try:
        events = _plain.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    usual: dict[tuple[Any, ...], _Usual] = {}
    for kind in set(map(_kind_of, events)):
        found = _usual(_Kind(*kind), expected)
        if found is None:
            return None
        usual[kind] = found
    if len(each := set(usual.values())) == 1:
        [(prefix, asked)] = each
        ids = dict.fromkeys([event.objectId for event in events])
        return Parsed((Hint(tuple([f"{prefix}{id_}" for id_ in ids]), *asked),), used=len(events))
    notes = _Notes(used=len(events))
    for event in events:
        prefix, asked = usual[_kind_of(event)]
        notes.note((f"{prefix}{event.objectId}",), asked)
    return notes.parsed()


def _usual(kind: _Kind, expected: Expected) -> _Usual | None:
    """What an event of this kind asks for, where it is of the portal and about one record; None: to be read itself."""
    if kind.portal != expected.portal:
        return None
    subject = _subject(kind.said, kind.type_id or "")
    if subject.kind is None or subject.action in UNLIKE_OTHERS:
        return None
    prefix = "" if subject.kind == "contacts" else f"{subject.kind}:"
    echo = expected.app is not None and kind.change_source == "INTEGRATION" and kind.source_id == expected.app
    return _Usual(prefix, _Asked(OWN_WRITE, ECHO) if echo else _Asked(subject.why, AT_ONCE))


def _decoded(body: bytes) -> Any:
    """The JSON document; None where it is none: malformed, nested too deep (1,024), or not UTF-8."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _type_of(event: Mapping[str, Any]) -> str | None:
    """`subscriptionType`, which the wire has, or `eventType`, which HubSpot's guide has."""
    said = event.get("subscriptionType") or event.get("eventType")
    return said if isinstance(said, str) else None


@lru_cache(maxsize=1_024)
def _subject(said: str, type_id: str) -> _Subject:
    """Of the handful of subscriptions that an app has; thousands of events a second ask."""
    noun, _, action = said.partition(".")
    kind = KINDS.get(type_id) if noun == "object" else NOUNS.get(noun)
    action = action if action in ACTIONS else "other"
    return _Subject(noun, kind, action, f"webhook: {action}")


def _read(event: object, expected: Expected, notes: _Notes) -> None:
    if not isinstance(event, dict):
        raise _Unusable("not an event")
    portal = event.get("portalId")
    if portal is not None and portal != expected.portal and text_of(portal) != str(expected.portal):
        raise _Unusable("of another portal")
    said = _type_of(event)
    if said is None:
        raise _Unusable("without a type")
    subject = _subject(said, text_of(event.get("objectTypeId")) or "")
    items = _items(event, subject)
    if subject.action == "privacyDeletion" and subject.kind == "contacts":
        notes.erased[items[0]] = None
    elif expected.app is not None and _is_echo(event, expected.app):
        notes.note(items, _Asked(OWN_WRITE, ECHO))
    else:
        notes.note(items, _Asked(subject.why, AT_ONCE))


def _items(event: Mapping[str, Any], subject: _Subject) -> Sequence[str]:
    """What an event is about, at least one thing. Raises _Unusable."""
    if subject.action == "associationChange":
        return _contacts_linked(event, subject.noun)
    if subject.kind is None:
        raise _Unusable("about another kind of object")
    own = id_of(event.get("objectId"))
    ids = [own] if own is not None else []
    if subject.action == "merge":
        ids += _merged(event)
    if not ids:
        raise _Unusable("without a usable id")
    return ids if subject.kind == "contacts" else [f"{subject.kind}:{id_}" for id_ in ids]


def _merged(event: Mapping[str, Any]) -> Iterator[str]:
    """Everyone a merge concerns: the survivor, under its old and new id, and those merged into it."""
    gone = event.get("mergedObjectIds")
    for value in (
        event.get("primaryObjectId"),
        event.get("newObjectId"),
        *(gone if isinstance(gone, list) else ()),
    ):
        if (id_ := id_of(value)) is not None:
            yield id_


def _contacts_linked(event: Mapping[str, Any], noun: str) -> list[str]:
    """The contacts at either end of a link, by type ids, else by `CONTACT_TO_DEAL`, else by the subscription's noun."""
    ends = [event.get("fromObjectId"), event.get("toObjectId")]
    types = [event.get("fromObjectTypeId"), event.get("toObjectTypeId")]
    if any(types):
        are_contacts = [type_ == "0-1" for type_ in types]
    elif isinstance(link := event.get("associationType"), str) and "_TO_" in link:
        start, _, end = link.partition("_TO_")
        are_contacts = ["CONTACT" in side.split("_") for side in (start, end)]
    else:
        are_contacts = [noun == "contact", False]
    if not any(are_contacts):
        raise _Unusable("a link without a contact")
    found = [id_of(end) for end, is_contact in zip(ends, are_contacts, strict=True) if is_contact]
    contacts = [id_ for id_ in found if id_ is not None]
    if not contacts:
        raise _Unusable("without a usable id")
    return contacts


def _is_echo(event: Mapping[str, Any], app: str) -> bool:
    """Whether our own app made the change. (The text of `sourceId` is by analogy with property history.)"""
    return event.get("changeSource") == "INTEGRATION" and text_of(event.get("sourceId")) == app
