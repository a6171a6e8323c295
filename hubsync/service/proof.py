"""Whether the rules by which the service writes are proved to settle, found out beside its work.

A proof takes tens of seconds of a processor: a process of its own with the lowest priority does it
(`python -m hubsync.proving`), once for each set of rules; its verdict is kept (sync/proofs.py). What isn't proved is
logged, told to people, counted and shown. The rules are in force all the same: whoever runs hubsync decides.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog

from hubsync.errors import StoreError
from hubsync.logs import redacted
from hubsync.rulefiles.load import LoadedRules
from hubsync.service.metrics import Metrics
from hubsync.store.store import Store
from hubsync.sync.proofs import KnownProof, keep_proof, known_proof

log = structlog.get_logger()

TOPIC = "unproved"
"""What alerts call it."""
COMMAND = (sys.executable, "-P", "-m", "hubsync.proving")
COULD_NOT = "The rules in force could not be proved to settle:"
LOWEST = 19
"""The priority of the process, as `nice` counts it."""


@dataclass(frozen=True, slots=True)
class ProofState:
    """How the proof of the rules in force stands; `says` what isn't proved, or why nobody knows."""

    state: Literal["being proved", "proved", "not proved"]
    says: str = ""


@dataclass(slots=True)
class Proofs:
    """Proves the rules that are taken up. Any thread may call any method. `within`: seconds that a proof may take.

    `tell(topic, says)` is for people: the rules aren't proved; None: they are.
    """

    store: Store
    tell: Callable[[str, str | None], None]
    metrics: Metrics
    within: float
    command: tuple[str, ...] = COMMAND
    """Proves the rules of the folder that is added."""
    state: ProofState | None = None
    """None until rules were taken up."""
    _rules: str | None = None
    _process: subprocess.Popen[bytes] | None = None
    _changes: threading.Lock = field(default_factory=threading.Lock)

    def take_up(self, portal: int, rules: LoadedRules) -> None:
        """These rules are in force now: say what is known of them, or begin to prove them. Raises StoreError.

        Nothing happens where it is known or under way already.
        """
        with self._changes:
            if rules.digest == self._rules:
                return
            known = known_proof(self.store, portal, rules.digest)
            self._end()
            self._rules = rules.digest
            if known is not None:
                self._tell(known.says)
                return
            self.state = ProofState("being proved")
            log.info("rules.being_proved", rules=rules.digest)
            try:
                process = self._process = self._begin(rules)
            except OSError as error:
                self._tell(f"{COULD_NOT} no process could be started for it: {error.strerror}.")
                return
        waiting = (process, portal, rules.digest)
        threading.Thread(target=self._wait, args=waiting, name="hubsync-proof", daemon=True).start()

    def stop(self) -> None:
        """End what is under way; the next start proves it anew."""
        with self._changes:
            self._rules = None
            self._end()

    def _begin(self, rules: LoadedRules) -> subprocess.Popen[bytes]:
        """The process. It needs none of our secrets, and ends when its standard input does, as when we are killed."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HUBSYNC_")}
        process = subprocess.Popen(  # noqa: S603  (our own program on our own folder)
            [*self.command, str(rules.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )
        os.setpriority(os.PRIO_PROCESS, process.pid, LOWEST)
        return process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _wait(self, process: subprocess.Popen[bytes], portal: int, rules: str) -> None:
        with process:
            answer = self._answer(process)
        with self._changes:
            if self._rules != rules:
                return  # others are in force since
            self._process = None
            if "failed" in answer:
                self._tell(f"{COULD_NOT} {answer['failed']}")
            elif answer["rules"] != rules:  # the files changed before they were read: the reload proves what they hold
                self._rules = self.state = None
            else:
                proof = KnownProof(**answer)
                self._keep(portal, proof)
                self._tell(proof.says)

    def _answer(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        """What the process said, or why it said nothing."""
        try:
            process.wait(self.within)
        except subprocess.TimeoutExpired:
            process.kill()
            return {"failed": f"it took longer than {self.within:g} seconds (HUBSYNC_PROOF_SECONDS)."}
        assert process.stdout is not None  # noqa: S101  (a pipe)
        if process.returncode:
            return {"failed": f"the process that proves them ended with {process.returncode}."}
        answer: dict[str, Any] = json.loads(process.stdout.read())
        return answer

    def _keep(self, portal: int, proof: KnownProof) -> None:
        try:
            keep_proof(self.store, portal, proof)
        except StoreError as error:  # the next start proves them anew
            log.warning("proof.unkept", reason=redacted(str(error)))

    def _tell(self, wrong: str) -> None:
        """Say it to everybody: what isn't proved, "" where everything is."""
        self.metrics.unproved.set(bool(wrong))
        if wrong:
            self.state = ProofState("not proved", wrong)
            log.warning("rules.unproved", rules=self._rules, says=wrong)
        else:
            self.state = ProofState("proved")
            log.info("rules.proved", rules=self._rules)
        self.tell(TOPIC, wrong or None)
