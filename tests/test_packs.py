"""Every pack, put together as `hubsync init --pack` does: it loads, its cases hold, and it settles a sandbox portal."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.errors import RuleFileError, SettingsError
from hubsync.policy.rollout import ROLLOUT
from hubsync.policy.spec import Language
from hubsync.rulefiles.advice import advise
from hubsync.rulefiles.cases import load_cases, results_of
from hubsync.rulefiles.load import load_rules
from hubsync.rulefiles.mutants import SURVIVED, share, try_mutants
from hubsync.rulefiles.outcomes import done
from hubsync.rulefiles.packs import TOLD, about, assemble, laid_over, names
from hubsync.rulefiles.playing import Played, play
from hubsync.sandbox import Portal, Sandbox
from hubsync.sandbox.population import populate
from hubsync.settings import default_rules

PACKS = names(default_rules())
OTHERS = PACKS[1:]
EIGHT = ["new", "attempting", "qualified", "converted", "nurture", "bad_timing", "unqualified", "customer"]


@pytest.fixture(scope="session")
def played(made: Callable[[str], Path]) -> Callable[[str], list[Played]]:
    """`played("inbound-8")`: every case of that pack, with what became of it."""
    return cache(lambda name: [play(case) for case in load_cases(made(name))])


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_has_no_fault_no_finding_and_its_cases_hold(
    name: str, made: Callable[[str], Path], played: Callable[[str], list[Played]]
) -> None:
    loaded = load_rules(made(name))
    loaded.compile()
    assert [str(finding) for finding in advise(loaded)] == []
    assert [str(result) for result in results_of(loaded, played(name)) if not result.ok] == []


@pytest.mark.parametrize("name", PACKS)
def test_the_cases_of_a_pack_catch_95_of_100_mistakes_in_its_rules(name: str, made: Callable[[str], Path]) -> None:
    tried = try_mutants(made(name), briefly=True)
    unnoticed = [str(mutant) for mutant in tried if mutant.verdict == SURVIVED]
    assert len(tried) > 500
    assert share(tried) >= 95, "\n".join(["`hubsync rules test --mutants` tells what is left of these:", *unnoticed])


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_lacks_nothing_but_what_is_left_to_be_chosen(name: str, made: Callable[[str], Path]) -> None:
    assert [gap for gap in load_rules(made(name)).compile().gaps if not gap.opt_in] == []


@pytest.mark.parametrize("name", PACKS)
def test_every_cell_that_does_not_fit_answers_by_itself_in_some_case(
    name: str, made: Callable[[str], Path], played: Callable[[str], list[Played]]
) -> None:
    cells = {rule.id for rule in load_rules(made(name)).compile().rules if rule.matrix}
    looks = [one.looks[0] for one in played(name)]
    answered = {outcome.rule for look in looks for outcome in done(look.decision, look.situation.policy)}
    assert sorted(cells - answered) == []


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_put_together_is_whole(name: str, made: Callable[[str], Path]) -> None:
    inside = {str(path.relative_to(made(name))) for path in made(name).rglob("*") if path.is_file()}
    assert {"portal.yaml", "matrix.yaml", "README.md"} <= inside
    assert [file for file in inside if "pack" in file] == []


@pytest.mark.parametrize("name", OTHERS)
def test_nothing_in_a_pack_equals_the_shipped_rules(name: str) -> None:
    own = default_rules() / "packs" / name
    same = [
        path.name
        for path in own.rglob("*.yaml")
        if (shipped := default_rules() / path.relative_to(own)).is_file() and shipped.read_bytes() == path.read_bytes()
    ]
    assert same == []
    assert about(default_rules(), name).says


def test_inbound_8_has_its_eight_statuses_and_takes_the_rest_of_portal_yaml_from_the_shipped_rules(
    made: Callable[[str], Path],
) -> None:
    portal, shipped = load_rules(made("inbound-8")).files.portal, load_rules(default_rules()).files.portal
    assert list(portal.statuses) == EIGHT
    assert portal.statuses["converted"].labels["en"] == "Open deal"
    assert (portal.stages, portal.writers, portal.deals) == (shipped.stages, shipped.writers, shipped.deals)


# Putting together --------------------------------------------------------------------------------------------------


def test_sections_are_replaced_with_their_comments_and_new_ones_come_last() -> None:
    below = "# Head.\n\n# About one.\none: 1\n\n# About two.\ntwo:\n  a: 2\n"
    above = "# Only what differs.\n\n# Two is different.\ntwo:\n  a: 3\n# And three.\nthree: 3\n"
    assert laid_over(below, above) == (
        "# Head.\n\n# About one.\none: 1\n\n# Two is different.\ntwo:\n  a: 3\n# And three.\nthree: 3\n"
    )


@pytest.mark.parametrize(("section", "key"), [("rules", "id"), ("cases", "name"), ("matrix", "row")])
def test_of_rules_cases_and_rows_those_of_the_same_name_are_replaced(section: str, key: str) -> None:
    below = f"{section}:\n  # One.\n  - {key}: one\n    a: 1\n\n  - {key}: two\n    a: 2\nlast: 1\n"
    above = f"{section}:\n  # Other.\n  - {key}: one\n    a: 3\n\n  - {key}: three\n    a: 4\n"
    assert laid_over(below, above) == (
        f"{section}:\n  # Other.\n  - {key}: one\n    a: 3\n\n  - {key}: two\n    a: 2\n"
        f"  - {key}: three\n    a: 4\nlast: 1\n"
    )


def test_texts_are_laid_over_entry_by_entry() -> None:
    below = 'rules:\n  one: {says: A.}\n  two:\n    says: B.\nsentences:\n  "A \\"no\\": x": "Non"\n  "none": "aucun"\n'
    above = 'sentences:\n  "A \\"no\\": x": "Jamais"\nrules:\n  two:\n    says: Les deux.\n'
    assert laid_over(below, above, TOLD) == (
        "rules:\n  one: {says: A.}\n  two:\n    says: Les deux.\n"
        'sentences:\n  "A \\"no\\": x": "Jamais"\n  "none": "aucun"\n'
    )


def test_a_pack_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r'"inbound8" is no pack; did you mean "inbound-8"\?; packs: universal, '):
        assemble(default_rules(), "inbound8", tmp_path / "rules")
    assert not (tmp_path / "rules").exists()


def test_a_pack_takes_the_files_it_names_with_their_cases(tmp_path: Path) -> None:
    base = tmp_path / "base"
    (base / "packs" / "mine").mkdir(parents=True)
    for name in ("README.md", "tasks.yaml", "tasks_test.yaml", "flags.yaml", "flags_test.yaml"):
        (base / name).write_text("rules: []\n")
    pack = base / "packs" / "mine" / "pack.yaml"
    pack.write_text("says: Mine.\ntakes: [tasks.yaml, taks.yaml]\n")
    with pytest.raises(RuleFileError, match=r'packs/mine/pack.yaml:2:\d+: "taks.yaml" is no file of the shipped rules'):
        assemble(base, "mine", tmp_path / "made")
    pack.write_text("says: Mine.\ntakes: [tasks.yaml]\n")
    assemble(base, "mine", tmp_path / "made")
    assert {path.name for path in (tmp_path / "made").iterdir()} == {"README.md", "tasks.yaml", "tasks_test.yaml"}


# hubsync init --pack ------------------------------------------------------------------------------------------------


def test_init_writes_a_pack_that_stands_alone(isolated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "mine", "--pack", "inbound-8"]) == 0
    assert list(load_rules(isolated / "mine" / "rules").files.portal.statuses) == EIGHT
    assert (isolated / "mine" / "rules" / ROLLOUT).exists()
    assert not (isolated / "mine" / "rules" / "packs").exists()


def test_init_of_a_pack_that_is_not_there_writes_nothing(isolated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "mine", "--pack", "outbound"]) == 2
    assert '"outbound" is no pack' in capsys.readouterr().err
    assert not (isolated / "mine").exists()


def test_open_cannot_mean_a_status_that_the_pack_does_without(
    isolated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", "mine", "--pack", "inbound-8", "--open-means", "working"]) == 2
    assert "this pack has no such Lead status; use new, attempting or unused" in capsys.readouterr().err
    assert not (isolated / "mine").exists()


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_settles_a_portal_end_to_end(
    name: str, isolated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """init, setup, audit, sync --write; then sync finds nothing left to do."""

    def rows(*arguments: str) -> tuple[int, Any]:
        capsys.readouterr()
        code = run([*arguments, "--format", "json"])
        return code, json.loads(capsys.readouterr().out)

    portal = Portal(seed=11)
    populate(portal, contacts=80, days=80, default_statuses_only=True, hubsync_properties=False)
    with Sandbox(portal, searches=1000) as box:
        monkeypatch.setenv("HUBSYNC_API_URL", box.url)
        monkeypatch.setenv("HUBSYNC_ACCESS_TOKEN", box.token)
        monkeypatch.setenv("HUBSYNC_EFFECTIVE_SINCE", "2020-01-01")
        assert run(["init", "mine", "--pack", name]) == 0
        rules = isolated / "mine" / "rules"
        monkeypatch.setenv("HUBSYNC_RULES", str(rules))
        (rules / ROLLOUT).unlink()
        assert run(["setup", "--write"]) == 0
        code, audit = rows("audit")
        assert code == 1
        assert {f["kind"] for f in audit["findings"]} >= {"correct", "report"}
        _, written = rows("sync", "--full", "--write", "--allow-changes", "80", "--allow-tasks", "200")
        assert [c for c in written["changes"] if c["state"] == "applied"] != []
        assert written["conflicts"] == []
        _, plan = rows("sync", "--full")
        assert [c for c in plan["changes"] if c["state"] == "planned"] == []
        assert (plan["tasks"], plan["conflicts"]) == ([], [])


@pytest.mark.parametrize("language", ["fr", "de", "id"])
def test_what_bant_says_otherwise_it_says_in_every_language(language: Language, made: Callable[[str], Path]) -> None:
    shipped, bant = (load_rules(folder).files.texts[language].rules for folder in (default_rules(), made("bant")))
    differing = {rule for rule, text in shipped.items() if bant[rule] != text}
    assert (differing, bant.keys()) == ({"qualified_moves_the_stage", "sent_back_for_its_data"}, shipped.keys())
