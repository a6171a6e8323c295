"""The policy's words for a portal's options (playbook D1–D4)."""

from __future__ import annotations

from hubsync.policy.vocabulary import STAGE, Option, Term, Terms, Wanted, resolve

TERMS = Terms(
    STAGE,
    (
        Term("lead", "lead", "Lead", "lead", 1),
        Term("sql", "salesqualifiedlead", "SQL", "sql", 3),
        Term("demo", "4711", "Demo scheduled", "sql", 4),
        Term("other", "other", "Other", "other", None),
    ),
)


def test_values_and_keys_translate_and_unmapped_values_stay_themselves() -> None:
    assert TERMS.key("salesqualifiedlead") == "sql"
    assert TERMS.value("demo") == "4711"
    assert (TERMS.key(""), TERMS.key(None), TERMS.value(None)) == (None, None, "")
    assert TERMS.key("900") == "900"


def test_empty_counts_as_mapped_and_an_unknown_option_does_not() -> None:
    assert [TERMS.is_mapped(v) for v in ("", None, "lead", "900")] == [True, True, True, False]


def test_a_key_stands_for_those_that_behave_like_it_and_not_the_other_way_round() -> None:
    assert TERMS.alike(["sql"]) == {"sql", "demo"}
    assert TERMS.alike(["demo"]) == {"demo"}
    assert (TERMS.like("demo"), TERMS.like("lead"), TERMS.like("900"), TERMS.like(None)) == ("sql", "lead", "900", None)


def test_order_is_known_for_stages_in_the_journey_alone() -> None:
    assert [TERMS.order(k) for k in ("lead", "demo", "other", "900", None)] == [1, 4, None, None, None]


def test_labels_are_for_people() -> None:
    assert [TERMS.label(k) for k in ("demo", "900", None)] == ["Demo scheduled", "900", "none"]


def test_options_are_found_by_value_then_by_any_label_whatever_the_case() -> None:
    wanted = [
        Wanted("new", "NEW", ("New", "Nouveau")),
        Wanted("qualified", "QUALIFIED", ("Qualified", "Qualifié")),
        Wanted("gone", "GONE", ("Gone",)),
    ]
    options = [Option("NEW", "Renamed", 0), Option("custom_7", " qualifié ", 1)]
    terms, missing = resolve("hs_lead_status", wanted, options)
    assert {t.key: (t.value, t.label) for t in terms.terms} == {
        "new": ("NEW", "Renamed"),
        "qualified": ("custom_7", " qualifié "),
    }
    assert [w.key for w in missing] == ["gone"]


def test_an_option_serves_one_key_and_the_value_outranks_the_label() -> None:
    wanted = [Wanted("a", None, ("Same",)), Wanted("b", "B", ("Same",))]
    terms, missing = resolve("p", wanted, [Option("B", "Same", 0)])
    assert ([t.key for t in terms.terms], [w.key for w in missing]) == (["b"], ["a"])


def test_a_stage_takes_its_place_from_the_portal_and_one_aside_has_none() -> None:
    wanted = [Wanted("lead", "lead", ()), Wanted("other", "other", (), aside=True)]
    terms, _ = resolve(STAGE, wanted, [Option("other", "Other", 0), Option("lead", "Lead", 5)])
    assert [(t.key, t.order) for t in terms.terms] == [("lead", 5), ("other", None)]
