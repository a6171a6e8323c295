"""A drafted portal.yaml: it loads, maps what the portal has, says what it guessed, leaves alone what isn't clear."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml

from hubsync.policy.policy import Policy
from hubsync.rulefiles.load import load_rules
from hubsync.sandbox import Portal, acts
from hubsync.sandbox.directory import Pipeline, Stage
from hubsync.settings import default_rules
from hubsync.sync.binding import schema_of
from hubsync.sync.drafting import Draft, DraftFailed, draft, open_needs_an_answer, verify
from hubsync.sync.likeness import STAGE_WORDS, STATUS_WORDS, Guess, between, guess, key_of
from hubsync.sync.pages import Page, aside, scalar
from hubsync.sync.surveying import survey
from tests.sync.desk import STAGE, STATUS, Desk

SHIPPED = (default_rules() / "portal.yaml").read_text(encoding="utf-8")
STAGES = ["subscriber", "lead", "mql", "sql", "opportunity", "customer", "evangelist", "other"]


def drafted(desk: Desk, open_like: str | None = None) -> Draft:
    desk.rebind()
    found = survey(desk.gateway, desk.bound())
    return draft(SHIPPED, desk.loaded.files.portal, found, date(2026, 11, 22), open_like)


def loaded(desk: Desk, made: Draft, folder: Path) -> Policy:
    """The draft beside the other rules, loaded, verified and compiled for the portal."""
    rules = folder / "drafted"
    shutil.copytree(default_rules(), rules)
    (rules / "portal.yaml").write_text(made.text, encoding="utf-8")
    read = load_rules(rules)
    portal = desk.bound()
    verify(made, read, portal)
    return read.compile(schema_of(portal.account, portal.definitions, portal.pipelines, portal.owners))


def add_status(portal: Portal, value: str, label: str, *, hidden: bool = False) -> None:
    portal.schemas.add_option("contacts", STATUS, value, label, hidden=hidden)


def rename(portal: Portal, prop: str, value: str, label: str) -> None:
    options = portal.schemas.properties["contacts"][prop].options
    portal.schemas.set_options("contacts", prop, [replace(o, label=label) if o.value == value else o for o in options])


def test_a_draft_keeps_every_line_and_comment_of_the_shipped_file(bare: Desk) -> None:
    text = drafted(bare).text
    kept = [line.partition("  # ")[0] for line in text.splitlines()]
    lost = [line for line in SHIPPED.splitlines() if line.partition("  # ")[0] not in kept]
    assert lost == ["  sales_pipelines: [default]"]


def test_a_portal_as_hubspot_ships_it_is_drafted_without_a_gap_for_what_it_has(bare: Desk, tmp_path: Path) -> None:
    made = drafted(bare)
    policy = loaded(bare, made, tmp_path)
    assert policy.statuses.value("working") == "IN_PROGRESS"
    assert made.lacking == [
        f"Lead status {key}" for key in ("qualified", "nurture", "disqualified", "recycled", "customer")
    ]
    assert made.unsure == ["Open (OPEN)"]
    assert made.guessed == []
    assert [t.key for t in policy.stages.terms] == STAGES


def test_a_renamed_label_keeps_its_value_and_is_noted(bare: Desk, tmp_path: Path) -> None:
    rename(bare.portal, STATUS, "CONNECTED", "Reached by phone")
    made = drafted(bare)
    assert '    value: CONNECTED  # "Reached by phone" in your portal' in made.text.splitlines()
    assert loaded(bare, made, tmp_path).statuses.value("connected") == "CONNECTED"


def test_an_option_found_by_its_label_has_its_value_written_down(bare: Desk, tmp_path: Path) -> None:
    add_status(bare.portal, "custom 7", "Qualifiziert")
    made = drafted(bare)
    assert '    value: "custom 7"  # found by its label' in made.text.splitlines()
    rename(bare.portal, STATUS, "custom 7", "Reif")
    bare.rebind()
    assert loaded(bare, made, tmp_path).statuses.value("qualified") == "custom 7"


def test_an_option_of_its_own_stands_in_for_a_status_the_portal_lacks(bare: Desk, tmp_path: Path) -> None:
    add_status(bare.portal, "WARM_LATER", "Nurturing")
    made = drafted(bare)
    policy = loaded(bare, made, tmp_path)
    assert policy.statuses.value("nurture") == "WARM_LATER"
    assert "Nurturing is nurture" in made.guessed
    assert "Lead status nurture" not in made.lacking


def test_a_further_option_becomes_a_status_that_is_like_a_known_one(bare: Desk, tmp_path: Path) -> None:
    add_status(bare.portal, "Demo Scheduled", "Demo scheduled")
    made = drafted(bare)
    policy = loaded(bare, made, tmp_path)
    assert policy.statuses.value("demo_scheduled") == "Demo Scheduled"
    assert policy.statuses.like("demo_scheduled") == "connected"
    assert "Demo scheduled is like connected" in made.guessed


def test_what_is_not_clear_is_left_alone_and_can_be_taken_in_by_hand(bare: Desk, tmp_path: Path) -> None:
    add_status(bare.portal, "X9", "Zebra crossing")
    made = drafted(bare)
    assert not loaded(bare, made, tmp_path / "before").statuses.is_mapped("X9")
    assert "Zebra crossing (X9)" in made.unsure
    lines = made.text.splitlines()
    start = lines.index("  # zebra_crossing:")
    lines[start : start + 6] = [line.replace("# ", "", 1) for line in lines[start : start + 6]]
    made.text = "\n".join(lines).replace("like: choose_one", "like: working")
    made.statuses["zebra_crossing"] = "X9"
    assert loaded(bare, made, tmp_path / "after").statuses.like("zebra_crossing") == "working"


def test_an_option_with_words_of_two_statuses_is_not_clear_but_suggested(bare: Desk) -> None:
    add_status(bare.portal, "DNS", "Demo no show")
    made = drafted(bare)
    assert "Demo no show (DNS)" in made.unsure
    assert "  #   like: attempting" in made.text.splitlines()


def test_a_hidden_option_is_left_alone(bare: Desk, tmp_path: Path) -> None:
    add_status(bare.portal, "OLD", "Meeting booked", hidden=True)
    made = drafted(bare)
    assert "Meeting booked (OLD)" in made.unsure
    assert not loaded(bare, made, tmp_path).statuses.is_mapped("OLD")


@pytest.mark.parametrize("like", ["new", "attempting", "working"])
def test_open_becomes_what_it_is_said_to_mean(bare: Desk, tmp_path: Path, like: str) -> None:
    policy = loaded(bare, drafted(bare, like), tmp_path)
    assert policy.statuses.key("OPEN") == "open"
    assert policy.statuses.like("open") == like


def test_open_is_asked_for_only_where_it_is_called_so_and_there(bare: Desk) -> None:
    assert open_needs_an_answer(bare.bound())
    rename(bare.portal, STATUS, "OPEN", "Meeting booked")
    bare.rebind()
    assert not open_needs_an_answer(bare.bound())
    kept = [o for o in bare.portal.schemas.properties["contacts"][STATUS].options if o.value != "OPEN"]
    bare.portal.schemas.set_options("contacts", STATUS, kept)
    bare.rebind()
    assert not open_needs_an_answer(bare.bound())


def test_an_open_that_was_given_another_label_is_what_that_says(bare: Desk, tmp_path: Path) -> None:
    rename(bare.portal, STATUS, "OPEN", "Meeting booked")
    policy = loaded(bare, drafted(bare), tmp_path)
    assert (policy.statuses.key("OPEN"), policy.statuses.like("meeting_booked")) == ("meeting_booked", "connected")


NASTY = [
    "a: b # c",
    'say "yes" \\ no',
    "- x",
    "null",
    "~",
    "",
    "{x}",
    "*x",
    "!x",
    "tab\there",
    "ligne\nfin",
    "客户 😀",
    "\x85 ",
]


def test_labels_and_values_of_any_kind_are_written_so_that_they_load(bare: Desk, tmp_path: Path) -> None:
    for number, text in enumerate(NASTY):
        add_status(bare.portal, f"{text}{number}", f"Meeting {text} {number}")
        words = text if text.isprintable() else "odd"  # the sandbox has stages' labels on one line
        bare.portal.schemas.add_stage(f"{9000 + number}", f"Stage {words} {number}", after="lead")
    made = drafted(bare)
    policy = loaded(bare, made, tmp_path)
    assert {o for o in policy.statuses.by_value if o.endswith(tuple("0123456789"))} == {
        f"{text}{number}" for number, text in enumerate(NASTY)
    }
    assert sum(t.value.startswith("90") for t in policy.stages.terms) == len(NASTY)


# Stages ------------------------------------------------------------------------------------------------------------


def test_custom_stages_stand_in_the_portals_order_and_are_like_their_neighbours(bare: Desk, tmp_path: Path) -> None:
    stages = bare.portal.schemas
    stages.add_stage("1077045801", "Sales Accepted Lead", after="marketingqualifiedlead")
    stages.add_stage("1077045802", "Trial", after="salesqualifiedlead")
    stages.add_stage("1077045803", "Zzz", after="lead")
    stages.add_stage("1077045804", "Partner", after="other")
    made = drafted(bare)
    policy = loaded(bare, made, tmp_path)
    ordered = sorted((t for t in policy.stages.terms if t.order is not None), key=lambda t: t.order or 0)
    assert [t.key for t in ordered] == [
        *("subscriber", "lead", "zzz", "mql", "sal", "sql", "trial", "opportunity", "customer", "evangelist")
    ]
    assert [(t.key, t.like) for t in policy.stages.terms if t.key in {"zzz", "sal", "trial", "partner"}] == [
        ("zzz", "lead"),
        ("sal", "sal"),
        ("trial", "opportunity"),
        ("partner", "other"),
    ]
    assert policy.stages.order("partner") is None
    keys = list(yaml.load(made.text, Loader=yaml.BaseLoader)["stages"])  # noqa: S506  (text only)
    assert keys == ["subscriber", "lead", "zzz", "mql", "sal", "sql", "trial", "opportunity", *STAGES[5:], "partner"]


def test_a_stage_is_not_taken_for_what_its_place_forbids(bare: Desk, tmp_path: Path) -> None:
    bare.portal.schemas.add_stage("5001", "Customer of a partner's newsletter", after="lead")
    policy = loaded(bare, drafted(bare), tmp_path)
    assert policy.stages.like(policy.stages.key("5001")) in {"lead", "mql"}


def test_a_stage_that_the_portal_removed_becomes_optional(bare: Desk, tmp_path: Path) -> None:
    kept = [o for o in bare.portal.schemas.properties["contacts"][STAGE].options if o.value != "evangelist"]
    bare.portal.schemas.set_options("contacts", STAGE, kept)
    made = drafted(bare)
    assert made.lacking[-1] == "Lifecycle stage evangelist"
    assert not [gap for gap in loaded(bare, made, tmp_path).gaps if gap.needs.startswith("Lifecycle stage")]


# Pipelines, writers, people ----------------------------------------------------------------------------------------


def test_pipelines_with_deals_count_and_hubspots_own_comes_first(bare: Desk, tmp_path: Path) -> None:
    steps = (Stage("s1", "Begun", 0, 0.5), Stage("s2", "Won", 1, 1.0, closed=True))
    for number, label in (("700", "Renewals"), ("701", "Partners: # none")):
        bare.portal.directory.add_pipeline(Pipeline(number, label, 1, steps))
    bare.portal.switches.search_lag = 0.0
    contact = bare.lead("NEW")
    acts.create_deal(bare.portal, contact)
    acts.create_deal(bare.portal, contact, pipeline="700", stage="s1")
    made = drafted(bare)
    assert loaded(bare, made, tmp_path).deals.pipelines == {"default", "700"}
    lines = made.text.splitlines()
    start = lines.index("  sales_pipelines:")
    assert lines[start + 1 : start + 4] == [
        "    - default  # Sales Pipeline, 1 deal",
        '    - "700"  # Renewals, 1 deal',
        '    # - "701"  # Partners: # none, 0 deals',
    ]


def test_without_any_deal_hubspots_own_pipeline_counts(bare: Desk, tmp_path: Path) -> None:
    assert loaded(bare, drafted(bare), tmp_path).deals.pipelines == {"default"}


def test_apps_seen_in_the_histories_are_named_with_their_id(bare: Desk, tmp_path: Path) -> None:
    contact = bare.lead("NEW")
    acts.integration_sets(bare.portal, contact, STATUS, "CONNECTED")
    acts.workflow_sets(bare.portal, contact, STATUS, "NEW")
    made = drafted(bare)
    assert '  "INTEGRATION:77700": integration  # Another app, 1 change' in made.text.splitlines()
    assert "  #   AUTOMATION_PLATFORM: 1 change, taken for automation (Workflow)" in made.text.splitlines()
    assert loaded(bare, made, tmp_path).writers["INTEGRATION:77700"] == "integration"


def test_owners_stand_by_team_as_comments_without_addresses(bare: Desk) -> None:
    team = bare.portal.directory.add_team("North # 1")
    bare.portal.directory.add_owner("anna@corp.example", "Anna", "Ash", teams=(team,))
    gone = bare.portal.directory.add_owner("gone@corp.example", "Gone", "Girl")
    bare.portal.directory.deactivate(gone.id, 0)
    text = drafted(bare).text
    lines = text.splitlines()
    start = lines.index("#   # Team North # 1")
    assert lines[start + 1].endswith('"owner id of the manager"  # Anna Ash')
    assert lines[start + 2] == "#   # In no team"
    assert "  # Your portal's teams: North # 1" in lines
    assert "@corp.example" not in text
    assert "Gone Girl" not in text


def test_a_draft_that_came_out_wrong_is_refused(bare: Desk, tmp_path: Path) -> None:
    made = drafted(bare)
    made.statuses["connected"] = "SOMETHING_ELSE"
    with pytest.raises(DraftFailed, match="came out wrong for connected; nothing was written"):
        loaded(bare, made, tmp_path)


# The pieces --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "like"),
    [
        ("Demo scheduled", Guess("connected", sure=True)),
        ("Security review", Guess("connected", sure=True)),
        ("Not qualified", Guess("unqualified", sure=True)),
        ("Disqualified - spam", Guess("disqualified", sure=True)),
        ("Sales qualified lead", Guess("qualified", sure=True)),
        ("Closed lost: timing", Guess("bad_timing", sure=True)),
        ("Demo no show", Guess("attempting", sure=False)),
        ("Newsletter", None),
        ("Foo", None),
    ],
)
def test_a_label_is_guessed_by_its_words(label: str, like: Guess | None) -> None:
    assert guess(label, STATUS_WORDS, {"working": ["Working"]}) == like


def test_a_label_without_known_words_is_guessed_by_what_it_looks_like() -> None:
    assert guess("Werbeaktion A", STATUS_WORDS, {"working": ["Werbeaktion B"]}) == Guess("working", sure=True)
    assert guess("Werbeakt X", STATUS_WORDS, {"working": ["Werbeaktion"]}) == Guess("working", sure=False)


def test_a_stage_called_like_nothing_in_the_order_is_like_its_neighbour() -> None:
    order = ["lead", "mql", "sql"]
    assert between("mql", "lead", "sql", order) == "mql"
    assert between("sql", "lead", "mql", order) == "lead"
    assert between(None, None, "lead", order) == "lead"
    assert guess("Trial", STAGE_WORDS, {}) == Guess("opportunity", sure=True)


def test_keys_are_words_that_nothing_else_is_called() -> None:
    assert key_of("Démo  planifiée!", []) == "demo_planifiee"
    assert key_of("New", ["new", "new_2"]) == "new_3"
    assert key_of("2nd try", []) == "option_2nd_try"
    assert key_of("客户", []) == "option"
    assert key_of("none", []) == "none_2"


def test_scalars_read_back_as_they_were_and_remarks_stay_on_their_line() -> None:
    for text in [*NASTY, "plain", "with blank", "007", "\U0001f600\u2028"]:
        assert yaml.load(scalar(text), Loader=yaml.BaseLoader) == text  # noqa: S506  (text only)
    assert aside("two\nlines\u2028and \x1b[31mred") == "two lines and [31mred"
    assert len(aside("x" * 500)) == 80


def test_edits_of_a_page_stand_where_they_belong() -> None:
    page = Page("# top\na:\n  b: 1\n  c: {d: 2}\n\n# next\ne: []\n", "x.yaml")
    page.replace_value(("a", "b"), "3", "was 1")
    page.put_under(("a",), ["  z: 0"])
    page.put_behind(("a",), ["  y: 9"])
    page.replace_line(("e",), ["e:", "  - 1"])
    page.put_first(["# first"])
    with pytest.raises(KeyError):
        page.put_under(("nowhere",), ["x: 1"])
    assert page.text() == "# first\n# top\na:\n  z: 0\n  b: 3  # was 1\n  c: {d: 2}\n  y: 9\n\n# next\ne:\n  - 1\n"
