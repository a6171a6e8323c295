"""What HubSpot itself does to a contact's stage because of its deals, where the portal's settings have it on.

A deal that is created makes an opportunity, one that is won a customer: each once, and only ever forward. Which of them
is on, the rules don't know: contacts are followed without them, and with both.
"""

from __future__ import annotations

from collections.abc import Callable

from hubsync.policy.deals import DealSummary
from hubsync.policy.policy import Policy
from hubsync.policy.rules import Foreign
from hubsync.policy.view import Missing, View
from hubsync.policy.vocabulary import STAGE

_HABITS: dict[str, tuple[str, Callable[[DealSummary], int]]] = {
    "a deal makes an opportunity": ("opportunity", lambda deals: deals.open),
    "a deal won makes a customer": ("customer", lambda deals: deals.won),
}
"""By what each says: the stage that HubSpot sets, by its internal value, and how many deals call for it."""


def habits(policy: Policy) -> tuple[Foreign, ...]:
    """Those whose stage the portal has, as workflows of its own."""
    return tuple(
        Foreign(f"of HubSpot's own ({says})", says, (), {STAGE: stage}, _calls_for(stage, count))
        for says, (stage, count) in _HABITS.items()
        if stage in policy.stage_order
    )


def _calls_for(stage: str, count: Callable[[DealSummary], int]) -> Callable[[View], int]:
    def test(view: View) -> int:
        order = view.policy.stage_order
        if view.stage and order.get(view.stage, order[stage]) >= order[stage]:
            return 0
        deals = view.deals()
        return -deals.mask if isinstance(deals, Missing) else int(count(deals) > 0)

    return test
