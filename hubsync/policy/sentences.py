"""What hubsync itself says on records, in tasks and findings, in English; `sentences:` of texts/ has the rest.

Numbers, days and labels stand in braces. A translation is found by the English sentence. Pure.
"""

from __future__ import annotations

NONE = "none"
NO_STAGE, NO_STATUS = "No stage", "no Lead status"
MISFIT = "{stage} and {status} don't go together."
MISFIT_OPEN = "{stage} with a deal open and {status} don't go together."
MISFIT_WITHOUT = "{stage} with no deal open and {status} don't go together."
SHOULD_BE_STATUS = "The Lead status should be {value}."
SHOULD_BE_STAGE = "The Lifecycle stage should be {value}."
SHOULD_BE_SET = "{value} should be set."
TASK_WOULD_COME = 'A task "{subject}" would be written.'
CHOSEN = "A person chose it on {day}, so it stays."
MOVED_BACK = "The stage was moved back on {day}, so it stays."
UNDONE = "It was undone on {day}, so it stays."
CORRECTED_ONCE = "It was corrected once for this cause and changed again since."
ONE_WAITS = "1 more lead waits for you"
MORE_WAIT = "{count} more leads wait for you"
THEIRS_TOMORROW = "You have {count} new tasks for today. These get theirs tomorrow:"
AND_MORE = "and {count} more"
BURST_FROM = "{count} contacts from {source}, {first} to {last} UTC"
BURST_WAITS = "{burst}: {tasks} tasks wait. Look at them, then: {command}"
BURST_AND_TOLD_WAIT = (
    "{burst}: {tasks} tasks wait, and {told} entries of digests and alerts. Look at them, then: {command}"
)
UNOWNED = "{count} tasks have no owner to be given to; give their contacts one."
THE_STATUS, THE_STAGE = "The Lead status", "The Lifecycle stage"
SECOND_WRITE = (
    "{property} would be written a second time within 7 days by the same rule (first on {first}); it is left as it is "
    "until {until}: see who changes it back."
)
TO_AND_FRO = (
    "{property} goes to and fro: {one} sets {value}, {other} sets {another}, {count} times since {since}. "
    "hubsync leaves it alone until {until}: switch one of the two off."
)
A_PERSON, UNKNOWN_SOURCE = "a person", "an unknown source"
AN_AUTOMATION, AN_IMPORT, AN_APP, A_FORM = "an automation", "an import", "another app", "a form"
DONE = "{value}: {says} ({day}, {playbook})"
TAKEN_BACK = "Undone: run {run} ({playbook}): {what} ({day})"
PUT_BACK = "{property} put back"
PUT_BACK_BY = "{property} put back: {says} ({playbook})"
HAD_SET = "{who} had set it on {day}."
SET_FOR_MANY = "{value}: set for many contacts at once ({day}, {playbook})"
SET_FOR_MANY_BECAUSE = "{value}: set for many contacts at once because of {reason} ({day}, {playbook})"
OWNER = "Owner {name}"

SENTENCES = (
    *(NONE, NO_STAGE, NO_STATUS, MISFIT, MISFIT_OPEN, MISFIT_WITHOUT),
    *(SHOULD_BE_STATUS, SHOULD_BE_STAGE, SHOULD_BE_SET, TASK_WOULD_COME),
    *(CHOSEN, MOVED_BACK, UNDONE, CORRECTED_ONCE, ONE_WAITS, MORE_WAIT, THEIRS_TOMORROW, AND_MORE),
    *(BURST_FROM, BURST_WAITS, BURST_AND_TOLD_WAIT, UNOWNED),
    *(THE_STATUS, THE_STAGE, SECOND_WRITE, TO_AND_FRO),
    *(A_PERSON, UNKNOWN_SOURCE, AN_AUTOMATION, AN_IMPORT, AN_APP, A_FORM),
    *(DONE, TAKEN_BACK, PUT_BACK, PUT_BACK_BY, HAD_SET, SET_FOR_MANY, SET_FOR_MANY_BECAUSE, OWNER),
)
"""All of them; a test holds every language against it."""
