"""What the service finds out of whether its rules settle: by a process beside it, once for each set of rules."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.service.metrics import Metrics
from hubsync.service.proof import COMMAND, Proofs, ProofState
from hubsync.settings import default_rules
from hubsync.store import Store, open_store
from hubsync.sync import proofs as kept
from hubsync.sync.proofs import KnownProof, keep_proof, known_proof
from tests.proving.minis import SETTLING, broken, mini, written
from tests.service.waiting import PATIENCE, eventually
from tests.sync.desk import NOW

PORTAL = 62515


def doing(program: str) -> tuple[str, ...]:
    """A command in the place of the proof."""
    return (sys.executable, "-c", program)


@dataclass
class House:
    """Proofs beside a database; `told` is what people were told, `writing` makes the rules of a folder."""

    store: Store
    folder: Path
    metrics: Metrics = field(default_factory=Metrics)
    told: list[tuple[str, str | None]] = field(default_factory=list)
    made: list[Proofs] = field(default_factory=list)

    def proofs(self, *command: str, within: float = PATIENCE) -> Proofs:
        """As a start of the service makes them."""
        proofs = Proofs(self.store, lambda topic, says: self.told.append((topic, says)), self.metrics, within)
        if command:
            proofs.command = command
        self.made.append(proofs)
        return proofs

    def rules(self, text: str) -> LoadedRules:
        """These rules, in force."""
        return load_rules(written(mini(text), self.folder))

    @property
    def unproved(self) -> float | None:
        """What Prometheus sees."""
        return self.metrics.registry.get_sample_value("hubsync_rules_unproved")


@pytest.fixture
def house(isolated: Path) -> Iterator[House]:
    with ExitStack() as stack:
        store = stack.enter_context(open_store("sqlite:///proof.db", base=isolated))
        store.remember_portal(PORTAL, at=NOW)
        made = House(store, isolated / "rules")
        yield made
        for proofs in made.made:
            proofs.stop()


def settled(proofs: Proofs) -> ProofState | None:
    assert eventually(lambda: proofs.state is None or proofs.state.state != "being proved")
    return proofs.state


def test_rules_that_fight_are_told_with_what_isnt_proved_and_where(
    house: House, logged: list[MutableMapping[str, Any]]
) -> None:
    proofs, rules = house.proofs(), house.rules(broken("two_rules_undo_one_another"))
    proofs.take_up(PORTAL, rules)
    assert proofs.state == ProofState("being proved")
    found = settled(proofs)
    assert found is not None
    known = known_proof(house.store, PORTAL, rules.digest)
    assert known is not None
    assert (known.holds, known.faults >= 1, known.unproved) == (False, True, 0)
    assert known.first.startswith("rules.yaml:")
    assert found == ProofState("not proved", known.says)
    assert "The rules in force are not proved to settle: " in found.says
    assert known.first in found.says
    assert house.told == [("unproved", found.says)]
    assert house.unproved == 1
    [warning] = [entry for entry in logged if entry["log_level"] == "warning"]
    assert (warning["event"], warning["rules"], warning["says"]) == ("rules.unproved", rules.digest, found.says)


def test_rules_that_settle_are_told_to_be_well_and_what_was_wrong_is_over(house: House) -> None:
    proofs = house.proofs()
    proofs.take_up(PORTAL, house.rules(broken("dead_rule")))
    settled(proofs)
    proofs.take_up(PORTAL, house.rules(SETTLING))
    assert settled(proofs) == ProofState("proved")
    assert [says for _, says in house.told][-1] is None
    assert house.unproved == 0


def test_what_is_known_of_the_same_rules_is_said_at_once_and_not_proved_again(house: House) -> None:
    rules = house.rules(SETTLING)
    keep_proof(house.store, PORTAL, KnownProof(rules.digest, 2, 1, "rules.yaml:3: coverage: up is dead"))
    proofs = house.proofs("no such program")
    proofs.take_up(PORTAL, rules)
    says = (
        "The rules in force are not proved to settle: 2 faults, 1 left unproved. "
        "rules.yaml:3: coverage: up is dead. `hubsync rules prove` tells how it comes about."
    )
    assert proofs.state == ProofState("not proved", says)
    proofs.take_up(PORTAL, rules)
    assert house.told == [("unproved", says)]


def test_a_verdict_counts_for_its_rules_and_its_version_of_hubsync_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = KnownProof("abc", 0, 0)
    keep_proof(house.store, PORTAL, proof)
    assert known_proof(house.store, PORTAL, "abc") == proof
    assert known_proof(house.store, PORTAL, "abd") is None
    assert known_proof(house.store, 7, "abc") is None
    monkeypatch.setattr(kept, "__version__", "9.9.9")
    assert known_proof(house.store, PORTAL, "abc") is None


@pytest.mark.parametrize(
    ("program", "within", "why"),
    [
        ("import time; time.sleep(60)", 0.2, "it took longer than 0.2 seconds (HUBSYNC_PROOF_SECONDS)."),
        ("raise SystemExit(3)", PATIENCE, "the process that proves them ended with 3."),
        ('print(\'{"failed": "no such rule"}\')', PATIENCE, "no such rule"),
    ],
    ids=["too long", "ended", "failed"],
)
def test_rules_that_could_not_be_proved_are_told_with_the_reason_and_nothing_is_kept(
    house: House, program: str, within: float, why: str
) -> None:
    proofs, rules = house.proofs(*doing(program), within=within), house.rules(SETTLING)
    proofs.take_up(PORTAL, rules)
    says = f"The rules in force could not be proved to settle: {why}"
    assert settled(proofs) == ProofState("not proved", says)
    assert (house.told, house.unproved) == ([("unproved", says)], 1)
    assert known_proof(house.store, PORTAL, rules.digest) is None


def test_where_no_process_can_be_started_the_service_goes_on_and_says_so(house: House) -> None:
    proofs = house.proofs("/no/such/program")
    proofs.take_up(PORTAL, house.rules(SETTLING))
    why = "no process could be started for it: No such file or directory."
    assert house.told == [("unproved", f"The rules in force could not be proved to settle: {why}")]


def test_other_rules_end_the_proof_of_the_former_ones(house: House) -> None:
    proofs = house.proofs(*doing("import time; time.sleep(60)"))
    proofs.take_up(PORTAL, house.rules(broken("dead_rule")))
    former = proofs._process
    assert former is not None
    proofs.command = COMMAND
    proofs.take_up(PORTAL, house.rules(SETTLING))
    assert former.wait(PATIENCE) == -9
    assert settled(proofs) == ProofState("proved")
    assert house.told == [("unproved", None)]


def test_a_stop_ends_the_process_and_tells_nothing(house: House) -> None:
    proofs = house.proofs(*doing("import time; time.sleep(60)"))
    proofs.take_up(PORTAL, house.rules(SETTLING))
    process = proofs._process
    assert process is not None
    proofs.stop()
    assert process.wait(PATIENCE) == -9
    assert house.told == []


def test_files_that_changed_before_they_were_read_say_nothing_of_the_rules_in_force(house: House) -> None:
    proofs, rules = house.proofs(), house.rules(SETTLING)
    house.rules(broken("dead_rule"))
    proofs.take_up(PORTAL, rules)
    assert settled(proofs) is None
    assert house.told == []


def test_the_process_has_the_lowest_priority_and_none_of_our_secrets(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBSYNC_ACCESS_TOKEN", "pat-na1-secret")
    program = (
        "import json, os, time; time.sleep(0.5); "
        "print(json.dumps({'failed': f'{os.nice(0)} {[n for n in os.environ if n.startswith(\"HUBSYNC\")]}'}))"
    )
    proofs = house.proofs(*doing(program))
    proofs.take_up(PORTAL, house.rules(SETTLING))
    found = settled(proofs)
    assert found is not None
    assert found.says.endswith("settle: 19 []")


def test_the_process_ends_with_whoever_asked_however_long_the_proof_would_take() -> None:
    command = [sys.executable, "-m", "hubsync.proving", str(default_rules())]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE) == 1
