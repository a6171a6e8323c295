"""The words of a bulk change: conditions, statuses and lists, and what each says of a slip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hubsync.errors import SettingsError
from hubsync.sync.bulk_list import read_list
from hubsync.sync.bulk_where import Statuses, compile_where
from tests.sync.desk import Desk


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("lead_status is_any_off new", '"is_any_off" is not an operator; did you mean "is_any_of"?'),
        ("lead_status is nwe", '"nwe" is no Lead status of portal.yaml; did you mean "new"?'),
        ("lead_statu is new", '"lead_statu" is no fact and no property name; did you mean "lead_status"?'),
        ("jobtitel is_unknown", 'the portal has no contact property "jobtitel"; did you mean "jobtitle"?'),
        ("hs_lead_status is_not NEWW", '"NEWW" is no option of hs_lead_status; did you mean "NEW"?'),
        ("notes_last_contacted is_more_than_ago soon", '"soon"'),
        ("attempts is_more_than few", '"few" is not a number'),
        ("owner is", "is needs a value"),
        ("owner", "write a fact, an operator and a value"),
    ],
)
def test_a_condition_that_cannot_be_meant_is_a_fault_with_what_was_meant(desk: Desk, where: str, fault: str) -> None:
    _, faults = compile_where(["lifecycle_stage is lead", where], desk.loaded.files, desk.bound())
    assert len(faults) == 1
    assert faults[0].startswith(f'--where "{where}": ')
    assert fault in faults[0]


def test_a_status_that_the_portal_lacks_makes_a_condition_impossible_by_name(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(added_statuses=False)
    where = "lead_status is nurture"
    _, faults = compile_where([where], desk.loaded.files, desk.bound())
    lacks = 'the portal has no option for Lead status "nurture"; hubsync check tells what it lacks'
    assert faults == [f'--where "{where}": {lacks}']


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("attempting", "ATTEMPTED_TO_CONTACT"),
        ("ATTEMPTED_TO_CONTACT", "ATTEMPTED_TO_CONTACT"),
        ("Attempted to Contact", "ATTEMPTED_TO_CONTACT"),
        ("Kontaktversuch", "ATTEMPTED_TO_CONTACT"),
        ("OPEN", "OPEN"),
        ("new", "NEW"),
        ("none", ""),
    ],
)
def test_a_status_is_found_by_key_value_or_label(desk: Desk, word: str, value: str) -> None:
    assert Statuses(desk.loaded.files.portal, desk.bound()).value(word) == value


def test_a_status_that_the_portal_has_no_option_for_is_refused_as_such(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(added_statuses=False)
    with pytest.raises(ValueError, match='the portal has no option for Lead status "nurture"'):
        Statuses(desk.loaded.files.portal, desk.bound()).value("nurture")


def test_an_unknown_status_is_refused_with_the_nearest_one(desk: Desk) -> None:
    with pytest.raises(ValueError, match='"nurtur" is no Lead status of the portal; did you mean "nurture"'):
        Statuses(desk.loaded.files.portal, desk.bound()).value("nurtur")


def statuses(word: str) -> str:
    if word not in {"new", "nurture"}:
        raise ValueError(f'"{word}" is no Lead status')
    return word.upper()


@pytest.mark.parametrize(
    "content",
    [
        b"id,status,reason\n1,new,\n2,nurture,late\n",
        b"\xef\xbb\xbfid;status;reason\r\n1;new\r\n2;nurture;late\r\n",
        b'"ID","Status","Reason"\n\n"1","new",""\n"2","nurture","late"',
        b"reason\tid\tstatus\n\t1\tnew\nlate\t2\tnurture\n",
    ],
    ids=["commas", "byte-order mark and semicolons", "quoted", "tabs in another order"],
)
def test_a_list_is_read_as_spreadsheets_save_it(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(content)
    found = read_list(file, statuses, None, "fair")
    assert found.faults == []
    entries = [(e.contact, e.value, e.reason) for e in found.entries.values()]
    assert entries == [("1", "NEW", "fair"), ("2", "NURTURE", "late")]


def test_every_bad_line_of_a_list_is_told_with_its_number(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text('id,status\n1,new\n2,"nurtur\ne"\n\n1.2E+10,new\n3,\n1,new\n4,new,x\n,new\n')
    assert read_list(file, statuses, None, "").faults == [
        (3, '"nurtur\ne" is no Lead status'),
        (6, '"1.2E+10" is no contact id; ids are digits alone, in a spreadsheet a column of text'),
        (7, "no status on this line, and no STATUS on the command line"),
        (8, "contact 1 stands on line 2 already"),
        (9, "3 values for 2 columns; quote a value that holds the separator"),
        (10, '"" is no contact id; ids are digits alone, in a spreadsheet a column of text'),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "this file is empty; its first line is id[,status[,reason]]"),
        (b"id,status\n", "no contact stands in this file"),
        (b"id,statsu\n1,new\n", '"statsu" is no column of this list; did you mean "status"?'),
        (b"email,status\na@b.example,new\n", "there is no column id"),
        (b"id\n1\n", "there is no column status, and no STATUS on the command line"),
        (b"id,status\n1,n\xe9w\n", "list.csv:2: this is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_such_list_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        read_list(file, statuses, None, "")
    assert said in str(refused.value)


def test_a_list_without_statuses_takes_the_one_asked_for_and_its_own_where_it_has_one(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("id,status\n1,\n2,new\n")
    found = read_list(file, statuses, "NURTURE", "")
    assert [(e.contact, e.value) for e in found.entries.values()] == [("1", "NURTURE"), ("2", "NEW")]
