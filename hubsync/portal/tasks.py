"""Creating, reading and deleting tasks on contacts' timelines.

HubSpot has no idempotency key: a create whose answer was lost may have happened. It is then called *uncertain* and
never sent again from here; who wrote it down beforehand finds out by reading the contact's tasks. Only a 429, which is
a promise that nothing was done, is tried again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from hubsync.errors import PortalError, PortalPermanentError, PortalTemporaryError, RateLimited, WriteRefused
from hubsync.portal import decoding
from hubsync.portal.answers import Answer, Json, reason
from hubsync.portal.asking import Asker, chunks
from hubsync.portal.associations import associated
from hubsync.portal.reading import read_objects
from hubsync.portal.transport import CREATES, WRITES, NothingSentError
from hubsync.portal.values import NewTask, Task, TaskOutcome

BATCH = 100
TASK_TO_CONTACT = 204  # association type, from the task's side

PROPERTIES = (
    "hs_task_subject",
    "hs_task_body",
    "hs_task_status",
    "hs_task_priority",
    "hs_task_type",
    "hs_timestamp",
    "hs_task_completion_date",
    "hubspot_owner_id",
    "hs_createdate",
    "hs_lastmodifieddate",
    "hs_object_source",
    "hs_object_source_id",
)


def create_tasks(asker: Asker, tasks: Sequence[NewTask]) -> list[TaskOutcome]:
    """Create `tasks`, each associated with its contact in the same call, and tell what became of each, in their order.

    Raises PortalPermanentError or RateLimited only where nothing at all was created yet.
    """
    if len({task.trace for task in tasks}) < len(tasks):
        raise ValueError("each task needs a trace of its own")
    outcomes: dict[str, TaskOutcome] = {}
    for batch in chunks(tasks, BATCH):
        try:
            done = _create(asker, batch)
        except (PortalPermanentError, RateLimited) as error:
            if not any(outcome.state != "refused" for outcome in outcomes.values()):
                raise
            done = [_refused(task, error) for task in batch]
        outcomes.update((outcome.trace, outcome) for outcome in done)
    return [outcomes[task.trace] for task in tasks]


def _create(asker: Asker, tasks: Sequence[NewTask]) -> list[TaskOutcome]:
    """One batch. A 400 for all of it means that nothing was created: halves of it find the one to blame."""
    done: list[TaskOutcome] = []
    queue = [list(tasks)]
    while queue:
        batch = queue.pop()
        try:
            done.extend(_send(asker, batch))
        except WriteRefused as error:
            if len(batch) == 1:
                done.append(_refused(batch[0], error))
            else:
                middle = len(batch) // 2
                queue.extend((batch[:middle], batch[middle:]))
        except NothingSentError as error:
            done.extend(_refused(task, error) for task in batch)
        except (RateLimited, PortalPermanentError) as error:
            if not any(outcome.state != "refused" for outcome in done):
                raise
            done.extend(_refused(task, error) for task in batch)
        except PortalTemporaryError as error:
            done.extend(TaskOutcome(task.trace, "uncertain", answer=str(error)) for task in batch)
    return done


def _send(asker: Asker, tasks: Sequence[NewTask]) -> list[TaskOutcome]:
    def decode(answer: Answer) -> list[TaskOutcome]:
        made = _created(tasks, decoding.results(answer))
        refused = {
            trace: reason(error)
            for error in decoding.errors(answer)
            for trace in decoding.context(error, "objectWriteTraceId")
        }
        return [_outcome(task, made, refused) for task in tasks]

    request = {"inputs": [_input(task) for task in tasks]}
    return asker.ask(asker.transport.batch.create, "tasks", request, decode=decode, manner=CREATES)


def _created(tasks: Sequence[NewTask], items: Sequence[Json]) -> dict[str, str]:
    """Ids of created tasks by trace; where an answer leaves traces out, by subject and body if those are unique."""
    found: dict[str, str] = {}
    texts: dict[tuple[str, str], list[str]] = {}
    for task in tasks:
        texts.setdefault((task.subject, task.body), []).append(task.trace)
    for item in items:
        id_, trace = decoding.identifier(item.get("id")), item.get("objectWriteTraceId")
        if not isinstance(trace, str):
            values = decoding.properties(item)
            same = texts.get((values.get("hs_task_subject") or "", values.get("hs_task_body") or ""), [])
            trace = same[0] if len(same) == 1 else ""
        if trace:
            found[trace] = id_
    return found


def _outcome(task: NewTask, made: dict[str, str], refused: dict[str, str]) -> TaskOutcome:
    if task.trace in made:
        return TaskOutcome(task.trace, "created", made[task.trace])
    if task.trace in refused:
        return TaskOutcome(task.trace, "refused", answer=refused[task.trace])
    return TaskOutcome(task.trace, "uncertain", answer="HubSpot's answer doesn't mention the task")


def _refused(task: NewTask, error: PortalError) -> TaskOutcome:
    return TaskOutcome(task.trace, "refused", answer=str(error))


def _input(task: NewTask) -> Json:
    properties = {
        "hs_timestamp": _iso(task.due),
        "hs_task_subject": task.subject,
        "hs_task_body": task.body,
        "hs_task_status": "NOT_STARTED",
        "hs_task_type": task.type,
    }
    if task.priority != "NONE":  # HubSpot's word for unset
        properties["hs_task_priority"] = task.priority
    if task.owner_id is not None:
        properties["hubspot_owner_id"] = task.owner_id
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": TASK_TO_CONTACT}]
    return {
        "properties": properties,
        "associations": [{"to": {"id": task.contact_id}, "types": types}],
        "objectWriteTraceId": task.trace,
    }


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_tasks(asker: Asker, ids: Iterable[str]) -> dict[str, Task]:
    """Tasks by id; deleted ones are left out."""
    return read_objects(asker, "tasks", ids, PROPERTIES, decode=decoding.task)


def tasks_of(asker: Asker, contact_ids: Iterable[str]) -> dict[str, tuple[Task, ...]]:
    """Each contact's tasks, by association (not by the search index, which lags)."""
    links = associated(asker, "contacts", contact_ids, "tasks")
    tasks = read_tasks(asker, sorted({link.id for found in links.values() for link in found}))
    return {contact: tuple(tasks[link.id] for link in found if link.id in tasks) for contact, found in links.items()}


def delete_tasks(asker: Asker, ids: Iterable[str]) -> dict[str, str]:
    """Move tasks to the recycle bin. Gives "deleted" for each, or HubSpot's reason against it.

    One that is gone already counts as deleted: HubSpot doesn't tell, and there is nothing left to do.
    """
    answers: dict[str, str] = {}
    for batch in chunks(list(dict.fromkeys(ids)), BATCH):
        request = {"inputs": [{"id": id_} for id_ in batch]}
        try:
            asker.ask(
                asker.transport.batch.archive, "tasks", request, decode=lambda answer: answer.status, manner=WRITES
            )
        except PortalError as error:
            if isinstance(error, PortalPermanentError) and not answers:
                raise
            answers.update((id_, str(error)) for id_ in batch)
        else:
            answers.update((id_, "deleted") for id_ in batch)
    return answers
