"""A first portal.yaml for a portal: the file that comes with hubsync, filled in from the portal's options, pipelines,
owners and writers. Its comments, its order and its own words stay.

A draft is for a person to read: what is a guess says so, and what isn't sure is commented out, so that hubsync leaves
it alone. `verify` loads the result and holds it against what was meant; nothing may be written to disk before that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from hubsync.errors import HubsyncError
from hubsync.policy.portal_spec import PortalSpec, StageSpec, StatusSpec
from hubsync.policy.vocabulary import STAGE, STATUS, Terms
from hubsync.portal.values import Option
from hubsync.rulefiles.load import LoadedRules
from hubsync.sync.binding import BoundPortal, schema_of
from hubsync.sync.drafted_people import draft_managers, draft_pipelines, draft_teams, draft_writers
from hubsync.sync.likeness import STAGE_WORDS, STATUS_WORDS, Guess, between, guess, key_of, likeness
from hubsync.sync.pages import Page, aside, commented, scalar
from hubsync.sync.surveying import Survey

FILE = "portal.yaml"
OPEN = "OPEN"
"""HubSpot's shipped option that has no key: what it means is asked (playbook section 2)."""

CHOOSE = "choose_one"
"""Stands where nothing can be guessed; no status is called so, so that it can't be left standing."""


class DraftFailed(HubsyncError):
    """The draft isn't what was meant, by a fault of hubsync's; nothing was written."""


@dataclass(slots=True)
class Draft:
    """A drafted portal.yaml. `statuses` and `stages` are what it must map, key → internal value, once it is loaded.

    `unsure` names options that were left as comments, `guessed` those whose likeness is a guess.
    """

    text: str = ""
    statuses: dict[str, str] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)
    unsure: list[str] = field(default_factory=list)
    guessed: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)


def open_needs_an_answer(portal: BoundPortal) -> bool:
    """Whether somebody must say what HubSpot's Open is used for: it is there, mapped by no key, and still called so."""
    option = next((o for o in portal.definitions[STATUS].options if o.value == OPEN), None)
    return option is not None and not portal.policy.statuses.is_mapped(OPEN) and option.label.casefold() == "open"


def draft(text: str, spec: PortalSpec, found: Survey, today: date, open_like: str | None = None) -> Draft:
    """`text` (portal.yaml as it comes, which reads as `spec`) filled in for a portal.

    `found.portal` is bound with these rules. `open_like` is the status that HubSpot's Open is another word for.
    """
    page = Page(text, FILE)
    made = Draft()
    _Statuses(page, made, spec, found, open_like).fill_in()
    _Stages(page, made, spec, found.portal).fill_in()
    draft_pipelines(page, found)
    draft_writers(page, spec, found)
    draft_managers(page, found.portal)
    draft_teams(page, found.portal)
    page.put_first(
        [
            f"# Drafted by `hubsync init --from-portal` from portal {found.portal.id} on {today.isoformat()}. Read it",
            "# through: what it says of options of your own is a guess, and lines with a remark behind them differ",
            "# from what comes with hubsync.",
            "#",
        ]
    )
    made.text = page.text()
    return made


def verify(made: Draft, loaded: LoadedRules, portal: BoundPortal) -> None:
    """Hold the draft, as loaded again with its folder's rules, against what it was to say.

    Raises RuleFileError where it doesn't load or compile, DraftFailed where it says something else.
    """
    schema = schema_of(portal.account, portal.definitions, portal.pipelines, portal.owners)
    policy = loaded.compile(schema)
    for meant, terms in ((made.statuses, policy.statuses), (made.stages, policy.stages)):
        says = {term.key: term.value for term in terms.terms}
        if says != meant:
            wrong = sorted(key for key in {*says, *meant} if says.get(key) != meant.get(key))
            raise DraftFailed(
                f"The draft of portal.yaml came out wrong for {', '.join(wrong)}; nothing was written. Use hubsync "
                "init without --from-portal, and please report this."
            )


class _Statuses:
    """The statuses section."""

    def __init__(self, page: Page, made: Draft, spec: PortalSpec, found: Survey, open_like: str | None) -> None:
        self.page = page
        self.made = made
        self.spec = spec
        self.found = found
        self.open_like = open_like
        self.terms = found.portal.policy.statuses
        self.labels = {key: list(status.labels.values()) for key, status in spec.statuses.items()}

    def fill_in(self) -> None:
        free = [o for o in self.found.portal.definitions[STATUS].options if not self.terms.is_mapped(o.value)]
        guesses = {o.value: self._guess(o) for o in free}
        adopted = self._adopted(free, guesses)
        for key, status in self.spec.statuses.items():
            if key in self.terms.by_key:
                _fill_in_term(self.page, "statuses", key, status, self.terms)
                self.made.statuses[key] = self.terms.by_key[key].value
            elif key in adopted:
                option = adopted[key]
                self._take(key, status, option)
            else:
                self.made.lacking.append(f"Lead status {key}")
                self.page.remark(("statuses", key), "not in your portal yet: hubsync setup --write adds it")
        unsure: list[str] = []
        for option in free:
            if option not in adopted.values():
                unsure += self._custom(option, guesses[option.value])
        if unsure:
            head = [
                "  # What these options of your portal mean isn't clear: hubsync leaves contacts with them alone. To",
                "  # have one managed, take the comment signs off and say under like: which status it behaves like.",
            ]
            self.page.put_behind(("statuses", next(reversed(self.spec.statuses))), head + unsure)

    def _guess(self, option: Option) -> Guess | None:
        if option.value == OPEN and self.open_like is not None:
            return Guess(self.open_like, sure=True)
        if option.value == OPEN and option.label.casefold() == "open":
            return None
        found = guess(option.label, STATUS_WORDS, self.labels)
        if found is None or found.like not in self.spec.statuses:
            return None
        return Guess(found.like, found.sure and not option.hidden)

    def _adopted(self, free: list[Option], guesses: Mapping[str, Guess | None]) -> dict[str, Option]:
        """Keys whose own option the portal lacks, and the option of the portal's own that surely is the same."""
        adopted: dict[str, Option] = {}
        for key in self.spec.statuses:
            alike = [o for o in free if (g := guesses[o.value]) and g.sure and g.like == key and o.value != OPEN]
            if alike and key not in self.terms.by_key:
                adopted[key] = max(alike, key=lambda o: max(likeness(o.label, one) for one in self.labels[key]))
        return adopted

    def _take(self, key: str, status: StatusSpec, option: Option) -> None:
        self.made.statuses[key] = option.value
        self.made.guessed.append(f"{option.label} is {key}")
        remark = f"{self._described(option)}: your portal's own option, taken for this"
        if status.value is None:
            self.page.put_under(("statuses", key), [f"    value: {scalar(option.value)}  # {aside(remark)}"])
        else:
            self.page.replace_value(("statuses", key, "value"), scalar(option.value), remark)

    def _custom(self, option: Option, found: Guess | None) -> list[str]:
        """A status of the portal's own: behind the one it is like where that is sure, else as a comment."""
        key = key_of(option.label, {*self.spec.statuses, *self.made.statuses})
        like = found.like if found is not None else CHOOSE
        block = self._block(key, option, like)
        if found is not None and found.sure:
            self.made.statuses[key] = option.value
            self.made.guessed.append(f"{option.label} is like {like}")
            self.page.put_behind(("statuses", like), block)
            return []
        self.made.unsure.append(f"{option.label} ({option.value})")
        return commented(block)

    def _block(self, key: str, option: Option, like: str) -> list[str]:
        words = self.spec.statuses[like].labels.get("en", like) if like != CHOOSE else "the status under like"
        return [
            f"  {key}:",
            f"    value: {scalar(option.value)}  # {self._described(option)}",
            f"    like: {like}",
            f"    labels: {{en: {scalar(option.label)}}}",
            f"    meaning: {scalar(f'A status of your own. In every rule it counts as {words}.')}",
            f"    use_when: {scalar(f'In the words of your team. (Drafted: as {words}.)')}",
        ]

    def _described(self, option: Option) -> str:
        count = self.found.contacts.get(option.value, 0)
        hidden = ", hidden" if option.hidden else ""
        return aside(f'"{aside(option.label)}"{hidden}, {count:,} contact{"" if count == 1 else "s"}')


class _Stages:
    """The stages section."""

    def __init__(self, page: Page, made: Draft, spec: PortalSpec, portal: BoundPortal) -> None:
        self.page = page
        self.made = made
        self.spec = spec
        self.terms = portal.policy.stages
        self.options = portal.definitions[STAGE].options
        self.order = [key for key, stage in spec.stages.items() if not stage.aside]

    def fill_in(self) -> None:
        for key, stage in self.spec.stages.items():
            if key in self.terms.by_key:
                _fill_in_term(self.page, "stages", key, stage, self.terms)
                self.made.stages[key] = self.terms.by_key[key].value
            elif not stage.optional:
                self.made.lacking.append(f"Lifecycle stage {key}")
                self.page.put_under(("stages", key), ["    optional: true  # not in your portal; what needs it is off"])
        known = [self.terms.by_value.get(o.value) for o in self.options]
        labels = {key: list(stage.labels.values()) for key, stage in self.spec.stages.items()}
        behind = next(iter(self.spec.stages))
        for place, option in enumerate(self.options):
            term = known[place]
            if term is not None:
                behind = term.key
                continue
            found = guess(option.label, STAGE_WORDS, labels)
            before = next((t.key for t in reversed(known[:place]) if t is not None and t.order is not None), None)
            after = next((t.key for t in known[place + 1 :] if t is not None and t.order is not None), None)
            self._custom(option, found.like if found is not None else None, before, after, behind)

    def _custom(self, option: Option, guessed: str | None, before: str | None, after: str | None, behind: str) -> None:
        """A stage of the portal's own: behind the one it follows, like what it is called or what it stands beside."""
        sets_aside = guessed is not None and guessed in self.spec.stages and self.spec.stages[guessed].aside
        like = guessed if sets_aside else between(guessed, before, after, self.order)
        if like is None:
            self.made.unsure.append(f"{option.label} ({option.value})")
            return
        key = key_of(option.label, {*self.spec.stages, *self.made.stages})
        block = [
            f"  {key}:  # your portal's own stage; check what it is like",
            f"    value: {scalar(option.value)}",
            f"    labels: {{en: {scalar(option.label)}}}",
            f"    like: {like}",
        ]
        if sets_aside:
            block.append("    aside: true")
        self.made.stages[key] = option.value
        self.made.guessed.append(f"stage {option.label} is like {like}")
        self.page.put_behind(("stages", behind), block)


def _fill_in_term(page: Page, section: str, key: str, spec: StatusSpec | StageSpec, terms: Terms) -> None:
    """A key whose option the portal has: its internal value, and its label there where that is another one."""
    term = terms.by_key[key]
    renamed = term.label.strip().casefold() not in {label.casefold() for label in spec.labels.values()}
    remark = f'"{aside(term.label)}" in your portal' if renamed else ""
    if spec.value is None:
        page.put_under((section, key), [f"    value: {scalar(term.value)}"])
    elif spec.value != term.value:
        page.replace_value((section, key, "value"), scalar(term.value), remark or "found by its label")
    elif remark:
        page.remark((section, key, "value"), remark)
