#!/usr/bin/env python
"""How many contacts stand at each combination of Lifecycle stage and Lead status, and which don't go together.

Reads every contact, writes nothing. Settings come from the environment or .env, as for `hubsync`.
"""

from __future__ import annotations

import argparse
from collections import Counter

from hubsync.policy.policy import Policy
from hubsync.policy.rules import always
from hubsync.portal.gateway import Gateway
from hubsync.rulefiles.load import load_rules
from hubsync.settings import load_settings
from hubsync.sync.binding import bind


def main() -> None:
    """Count, and print one line per combination."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="also the combinations that go together")
    args = parser.parse_args()
    settings = load_settings()
    with Gateway(settings.api_url, settings.token_provider(), api_version=settings.api_version, bulk=True) as gateway:
        policy = bind(gateway, load_rules(settings.rules)).policy
        counts: Counter[tuple[str, str]] = Counter()
        for page in gateway.all_contacts(("lifecyclestage", "hs_lead_status")):
            for contact in page:
                get = contact.properties.get
                counts[get("lifecyclestage") or "", get("hs_lead_status") or ""] += 1
    for (stage, status), count in sorted(counts.items(), key=lambda item: -item[1]):
        verdict = _verdict(policy, status, stage)
        if verdict not in {"fits", "depends on the deals"} or args.all:
            at, has = policy.stages.key(stage), policy.statuses.key(status)
            names = f"{policy.stages.label(at)} × {policy.statuses.label(has)}"
            print(f"{count:7,}  {names:55} {verdict}")


def _verdict(policy: Policy, status: str, stage: str) -> str:
    """What the matrix says of a combination, as far as the two fields alone tell."""
    cell = policy.cells.get((status, stage))
    if cell is None:
        return "no key of portal.yaml maps it"
    answers = [r for r in (*cell.cells, *cell.notes) if r.rule.matrix]
    for answer in answers:
        if answer.test is always:
            return {"auto": "is corrected", "propose": "a correction is proposed"}.get(answer.rule.mode, "is reported")
    return "depends on the deals" if answers else "fits"


if __name__ == "__main__":
    main()
