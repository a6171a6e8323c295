"""What a draft of portal.yaml needs to know of a portal beyond its definitions: which pipelines hold deals, who writes.

Reads only: a search per pipeline and per unmapped Lead status, up to twenty pages of contacts with history.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from hubsync.policy.timeline import PERSON
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.portal.gateway import Gateway
from hubsync.sync.binding import BoundPortal
from hubsync.sync.checkup import SAMPLE_PAGES, count_writers


@dataclass(frozen=True, slots=True)
class Seen:
    """A writer seen in the histories: HubSpot's source, with its id where that names one; what it is taken for."""

    source: str
    label: str
    kind: str
    changes: int


@dataclass(frozen=True, slots=True)
class Survey:
    """`deals` counts per pipeline's id, `contacts` per value of an unmapped Lead status.

    `writers` were seen in the histories of `sampled` contacts.
    """

    portal: BoundPortal
    deals: Mapping[str, int] = field(default_factory=dict)
    contacts: Mapping[str, int] = field(default_factory=dict)
    writers: tuple[Seen, ...] = ()
    sampled: int = 0


def survey(gateway: Gateway, portal: BoundPortal) -> Survey:
    """Read what a draft needs; `portal` is bound with the rules that the draft starts from."""
    read = gateway.all_contacts((STATUS, STAGE), (STATUS, STAGE))
    contacts = [contact for page in islice(read, SAMPLE_PAGES) for contact in page]
    counts: Counter[tuple[str, str, str]] = Counter()
    for one in count_writers(contacts, portal.policy):
        source, _, number = one.source.partition(":")
        named = one.source if source in {"INTEGRATION", "WORKFLOWS"} and number else source
        # Who the people are is nobody's business here.
        counts[named, "" if one.kind == PERSON else one.label, one.kind] += one.entries
    return Survey(
        portal,
        deals={p.id: gateway.count_having("pipeline", p.id, "deals") for p in portal.pipelines},
        contacts={
            option.value: gateway.count_having(STATUS, option.value)
            for option in portal.definitions[STATUS].options
            if not portal.policy.statuses.is_mapped(option.value)
        },
        writers=tuple(Seen(*key, changes) for key, changes in counts.most_common()),
        sampled=len(contacts),
    )
