"""The shipped rules: every case beside them, that they rest once done, and that portal.yaml follows the playbook."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubsync.policy.deals import category
from hubsync.policy.decide import decide
from hubsync.rulefiles.cases import results_of
from hubsync.rulefiles.load import LoadedRules
from hubsync.rulefiles.outcomes import done
from hubsync.rulefiles.playing import Played
from hubsync.rulefiles.situations import after
from hubsync.sandbox.population.furniture import own_properties
from hubsync.sandbox.population.texts import LOSS_REASONS
from tests.cases import RULES, loaded, played

FILES = sorted(path.name for path in RULES.glob("*_test.yaml"))

PLAYBOOK = {
    "new": ("NEW", "New", "Nouveau", "Neu", "New"),
    "attempting": (
        "ATTEMPTED_TO_CONTACT",
        "Attempting contact",
        "Tentative de contact",
        "Kontaktversuch",
        "Attempting Contact",
    ),
    "connected": ("CONNECTED", "Connected", "Connecté", "Verbunden", "Connected"),
    "working": ("IN_PROGRESS", "Working", "En travail", "In Bearbeitung", "Working"),
    "qualified": ("QUALIFIED", "Qualified", "Qualifié", "Qualifiziert", "Qualified"),
    "unqualified": ("UNQUALIFIED", "Unqualified", "Non qualifié", "Unqualifiziert", "Unqualified"),
    "converted": ("OPEN_DEAL", "Converted (open deal)", "Converti", "Konvertiert", "Converted"),
    "nurture": ("NURTURE", "Nurture", "Nurture", "Nurture", "Nurture"),
    "bad_timing": (
        "BAD_TIMING",
        "Bad timing (deal lost, try later)",
        "Mauvais moment",
        "Schlechter Zeitpunkt",
        "Waktu belum tepat",
    ),
    "disqualified": ("DISQUALIFIED", "Disqualified", "Disqualifié", "Disqualifiziert", "Disqualified"),
    "recycled": ("RECYCLED", "Recycled", "Recyclé", "Recycelt", "Recycled"),
    "customer": ("CUSTOMER", "Current customer", "Client actuel", "Bestandskunde", "Pelanggan"),
}
"""Section 2: internal value and labels in English, French, German and Indonesian."""


@pytest.fixture(scope="module")
def shipped() -> LoadedRules:
    return loaded()


def of_file(file: str) -> list[Played]:
    """The cases of a file, played."""
    found = [one for one in played() if Path(one.case.file).name == file]
    assert found
    return found


@pytest.mark.parametrize("file", FILES)
def test_the_cases_of_a_file_hold(file: str) -> None:
    assert [str(one.result) for one in of_file(file) if not one.result.ok] == []


@pytest.mark.parametrize("file", FILES)
def test_once_a_case_is_done_nothing_is_left_to_do(file: str) -> None:
    left = {}
    for one in of_file(file):
        look = one.looks[0]
        rest = after(look.situation, look.decision)
        again = decide(rest.policy, rest.contact, rest.now, look.horizon)
        left[one.case.name] = (again.changes, again.tasks, again.withdrawn, again.needs)
    assert {name: more for name, more in left.items() if more != ((), (), (), 0)} == {}


def test_every_rule_fires_in_a_case_and_nearly_fires_in_another_and_every_cell_is_visited() -> None:
    assert [str(result) for result in results_of(loaded(), played()) if not result.ok] == []


def test_every_cell_that_does_not_fit_answers_by_itself_in_some_case(shipped: LoadedRules) -> None:
    cells = {rule.id for rule in shipped.compile().rules if rule.matrix}
    looks = [one.looks[0] for one in played()]
    answered = {outcome.rule for look in looks for outcome in done(look.decision, look.situation.policy)}
    assert sorted(cells - answered) == []


def test_the_shipped_rules_lack_nothing_but_what_is_left_to_choose(shipped: LoadedRules) -> None:
    gaps = shipped.compile().gaps
    assert [gap for gap in gaps if not (gap.off and gap.opt_in)] == []
    off = {spec.id for content in shipped.files.rules.values() for spec in content.rules if not spec.enabled}
    assert off | {"churned_customer"} <= {gap.rule for gap in gaps}


def test_the_twelve_statuses_are_those_of_the_playbook(shipped: LoadedRules) -> None:
    statuses = shipped.files.portal.statuses
    found = {
        key: (spec.value, spec.labels["en"], spec.labels["fr"], spec.labels["de"], spec.labels["id"])
        for key, spec in statuses.items()
    }
    assert found == PLAYBOOK


def test_every_status_says_what_it_means_when_to_use_it_and_what_is_next(shipped: LoadedRules) -> None:
    words = ("meaning", "use_when", "data", "next_step", "red_flag")
    silent = [(key, w) for key, spec in shipped.files.portal.statuses.items() for w in words if not getattr(spec, w)]
    assert silent == []
    assert [key for key, spec in shipped.files.portal.statuses.items() if not spec.required] == []


def test_active_statuses_are_those_in_somebodys_hands(shipped: LoadedRules) -> None:
    active = [key for key, spec in shipped.files.portal.statuses.items() if spec.active]
    assert active == ["new", "attempting", "connected", "working", "qualified", "recycled"]


def test_stages_stand_in_the_order_of_the_journey_and_lead_to_opportunity_are_managed(shipped: LoadedRules) -> None:
    stages = shipped.files.portal.stages
    assert list(stages) == [
        "subscriber",
        "lead",
        "mql",
        "sal",
        "sql",
        "opportunity",
        "customer",
        "evangelist",
        "other",
    ]
    assert [key for key, spec in stages.items() if spec.managed] == ["lead", "mql", "sal", "sql", "opportunity"]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("CRM_UI", "person"),
        ("MOBILE_IOS", "person"),
        ("AUTOMATION_PLATFORM", "automation"),
        ("WORKFLOWS", "automation"),
        ("DEALS", "automation"),
        ("MERGE_OBJECTS", "automation"),
        ("IMPORT", "import"),
        ("INTEGRATION", "integration"),
        ("SALESFORCE", "integration"),
        ("FORM", "form"),
    ],
)
def test_known_sources_are_told_apart(shipped: LoadedRules, source: str, kind: str) -> None:
    assert shipped.files.portal.writers[source] == kind


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("other" if wanted == "unclear" else wanted, reason)
        for wanted, languages in LOSS_REASONS.items()
        for reasons in languages.values()
        for reason in reasons
    ],
)
def test_loss_reasons_in_four_languages_find_their_category(shipped: LoadedRules, wanted: str, reason: str) -> None:
    words = {name: tuple(found) for name, found in shipped.files.portal.deals.loss_categories.items()}
    assert category(reason, words) == wanted


def test_what_a_loss_is_put_down_to_is_an_option_of_the_reason(shipped: LoadedRules) -> None:
    portal = shipped.files.portal
    assert set(portal.deals.loss_categories) <= set(portal.properties["hubsync_reason"].options)


def test_the_sandbox_has_the_properties_that_the_rules_need(shipped: LoadedRules) -> None:
    in_sandbox = {prop.name: (prop.type, [o.value for o in prop.options]) for prop in own_properties()}
    for name, spec in shipped.files.portal.properties.items():
        kind, options = in_sandbox[name]
        assert kind == spec.type
        assert spec.type != "enumeration" or options == spec.options
