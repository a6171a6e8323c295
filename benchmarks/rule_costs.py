"""What each rule costs in calls to HubSpot, counted on contacts of which it asks all that it ever asks.

For each rule the first of its cases in which it fires becomes a portal of such contacts. Counted are the calls that a
full look at them takes (listing them, one call for 100, included), and those that `sync --write` takes on top: what is
read again before the write and looked at after it, the writes, tasks and proposals. Start-up calls are left out.
Prints one JSON line; with --table the table of rules/README.md is written anew.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.sandbox_process import ROOT
from benchmarks.sessions import NO_LIMITS, a_session
from benchmarks.staging import a_portal_of, can_be_staged
from hubsync.policy.policy import Horizon
from hubsync.policy.spec import ActionSpec, RuleSpec
from hubsync.rulefiles.cases import load_cases
from hubsync.rulefiles.load import LoadedRules, as_text, load_rules
from hubsync.rulefiles.outcomes import done
from hubsync.rulefiles.playing import Case, Played, play
from hubsync.sync import reconcile
from hubsync.sync.book import NoBook
from hubsync.sync.looking import Look, Looker
from hubsync.sync.scope import Scope

README = ROOT / "rules" / "README.md"
MATRIX = "cell_sql_new"
"""The cell whose cost stands for those of the matrix."""
ALL_CELLS = "cell_…"
HEAD = "| playbook | rule | mode | what it does | to look | to act |\n|---|---|---|---|---|---|\n"
NOT_STAGED = "–"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: a rule, or all cells of the matrix."""

    playbook: str
    rule: str
    mode: str
    does: str

    def line(self, look: str, act: str) -> str:
        """As it stands in the table."""
        return f"| {self.playbook} | `{self.rule}` | {self.mode} | {self.does} | {look} | {act} |\n"


@dataclass(frozen=True, slots=True)
class Cost:
    """Calls for a hundred contacts: a full look, and acting on top."""

    look: float
    act: float


def main() -> None:
    """Count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=500, help="contacts for each rule")
    parser.add_argument("--rules", nargs="+", help="these rules only")
    parser.add_argument("--missing", action="store_true", help="rules only for which the table has no numbers yet")
    parser.add_argument("--table", action="store_true", help="write the table of rules/README.md")
    args = parser.parse_args()
    text = README.read_text(encoding="utf-8")
    known = known_in(text)
    cases = cases_of(play(case) for case in load_cases(ROOT / "rules"))
    wanted = args.rules or [rule for rule in cases if rule == MATRIX or not rule.startswith("cell_")]
    left = [rule for rule in wanted if rule in cases and not (args.missing and rule in known)]
    costs = {rule: cost_of(cases[rule], args.contacts) for rule in left}
    if args.table:
        README.write_text(text.replace(table_in(text), table(known | costs)), encoding="utf-8")
    print(json.dumps({"contacts": args.contacts, "rules": {r: [c.look, c.act] for r, c in costs.items()}}))


def rows(loaded: LoadedRules) -> list[Row]:
    """A row for each rule in the order of the files, the matrix last."""
    found = [_row(spec) for content in loaded.files.rules.values() for spec in content.rules]
    return [*found, Row("C1, C3", ALL_CELLS, "as its cell says", "what stands in matrix.yaml, such as New at SQL")]


def _row(spec: RuleSpec) -> Row:
    mode = spec.mode if spec.enabled else f"{spec.mode}, off until enabled"
    return Row(spec.playbook, spec.id, mode, "; ".join(map(_does, spec.then)))


def _does(action: ActionSpec) -> str:
    ((name, what),) = action.model_dump(exclude_none=True).items()
    if name == "finding":
        return "finding"
    if name == "create_task":
        return f"task {what['template']}"
    if name in {"digest", "alert"}:
        return f"{name} to the {what['to']}"
    return f"{'proposes' if name == 'propose' else 'sets'} {as_text(what)[1:-1]}"


def table(costs: dict[str, Cost]) -> str:
    """The whole table, with what was measured."""
    lines = [HEAD]
    for row in rows(load_rules(ROOT / "rules")):
        cost = costs.get(MATRIX if row.rule == ALL_CELLS else row.rule)
        lines.append(row.line(*((f"{cost.look:.1f}", f"{cost.act:.1f}") if cost else (NOT_STAGED, NOT_STAGED))))
    return "".join(lines)


def known_in(text: str) -> dict[str, Cost]:
    """The numbers that stand in the table."""
    found: dict[str, Cost] = {}
    for line in table_in(text).splitlines()[2:]:
        rule, _mode, _does, look, act = line.strip("|").split("|")[1:]
        if look.strip() != NOT_STAGED:
            name = rule.strip().strip("`")
            found[MATRIX if name == ALL_CELLS else name] = Cost(float(look), float(act))
    return found


def table_in(text: str) -> str:
    """The table as it stands in the reference."""
    found = re.search(re.escape(HEAD) + r"(?:\|.*\n)*", text)
    if found is None:
        raise LookupError(f"{README} has no table of what rules cost")
    return found[0]


def cases_of(played: Iterable[Played]) -> dict[str, Case]:
    """For each rule and cell the first case at whose first look it does something, if a portal alone can make it."""
    found: dict[str, Case] = {}
    for one in played:
        if can_be_staged(one.case):
            look = one.looks[0]
            for outcome in done(look.decision, look.situation.policy):
                if outcome.rule is not None:
                    found.setdefault(outcome.rule, one.case)
    return found


def cost_of(case: Case, contacts: int) -> Cost:
    """Calls for a hundred contacts of the case; what a portal without contacts takes is left out."""
    looked, acted = _calls(case, contacts)
    start_of_look, start_of_act = _calls(case, 0)
    look = looked - start_of_look + 1  # of the list, a portal without contacts has one page as well
    return Cost(100 * look / contacts, 100 * (acted - start_of_act) / contacts)


def _calls(case: Case, contacts: int) -> tuple[int, int]:
    """Calls of a look at all contacts, and those that a writing run takes on top."""
    portal = a_portal_of(case, contacts)
    with a_session(portal, rules=case.rules, now=portal.clock.now) as (session, store):
        began = session.gateway.calls
        looked = sum(1 for _ in looks(session))
        if looked != contacts:
            raise RuntimeError(f"{case.name}: {looked} of {contacts} contacts were listed")
        seen = session.gateway.calls
        reconcile.write(session, store, Scope(full=True), NO_LIMITS)
        return seen - began, session.gateway.calls - seen - (seen - began)


def looks(session: reconcile.Session) -> Iterator[Look]:
    """Every contact with what is decided on it, as an audit looks."""
    policy, horizon = session.portal.policy, Horizon(session.effective_since)
    looker = Looker(session.gateway, policy, horizon, session.portal_now, NoBook(), tasks=True)
    for page in looker.over(session.gateway.all_contacts(policy.properties)):
        yield from page


if __name__ == "__main__":
    main()
