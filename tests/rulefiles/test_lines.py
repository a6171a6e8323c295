"""YAML as text with positions. `testdata/*.bad.yaml` end with what is expected: `# expect LINE:COLUMN: message`."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hubsync.errors import Problem, RuleFileError
from hubsync.rulefiles import lines
from hubsync.rulefiles.lines import compose, read

TESTDATA = Path(__file__).parent / "testdata"
BAD = sorted(path.name for path in TESTDATA.glob("*.bad.yaml"))

RULES = """\
rules:
  - id: one
    when:
      lead_status: {is: new}
  - id: "two"
    then: [{set: {lead_status: NO}}]
"""


def faults_of(text: str) -> tuple[Problem, ...] | None:
    try:
        compose(text, "f")
    except RuleFileError as error:
        return error.problems
    return None


def faults(path: Path) -> list[str]:
    with pytest.raises(RuleFileError) as caught:
        read(path, "x.yaml")
    return [str(problem).removeprefix("x.yaml:") for problem in caught.value.problems]


@pytest.mark.parametrize("name", BAD)
def test_every_fault_of_a_file_is_told_with_its_line_and_column(name: str) -> None:
    path = TESTDATA / name
    lines_of_file = path.read_text(encoding="utf-8").splitlines()
    expected = [line.removeprefix("# expect ") for line in lines_of_file if line.startswith("# expect ")]
    assert expected, "say what is expected at the end of the file"
    assert faults(path) == expected


@pytest.mark.parametrize("name", BAD)
def test_the_pure_parser_finds_what_the_fast_one_finds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lines._LOADER is yaml.CBaseLoader
    fast = faults(TESTDATA / name)
    monkeypatch.setattr(lines, "_LOADER", yaml.BaseLoader)
    assert [fault.split(": ", 1)[1] for fault in faults(TESTDATA / name)] == [f.split(": ", 1)[1] for f in fast]


def test_every_scalar_is_text() -> None:
    assert read(TESTDATA / "text_only.good.yaml").data == {
        "country": "NO",
        "stage": "12345",
        "leading_zero": "007",
        "number": "1.50",
        "truth": "yes",
        "date": "2026-11-22",
        "time": "09:00-17:30",
        "quoted": "null",
        "nothing": "",
        "tilde": "",
        "empty": "",
        "list": ["NO", "1", ""],
        "folded": "two lines",
        "ünïcode": "é",
        "merge": {"<<": "text"},
    }


def test_a_file_without_content_is_an_empty_dictionary() -> None:
    document = read(TESTDATA / "empty.good.yaml")
    assert document.data == {}
    assert document.where(("anything",)) == (1, 1)


@pytest.mark.parametrize(
    ("path", "key", "position"),
    [
        (("rules",), True, (1, 1)),
        (("rules",), False, (2, 3)),
        (("rules", 0), False, (2, 5)),
        (("rules", 0, "id"), True, (2, 5)),
        (("rules", 0, "id"), False, (2, 9)),
        (("rules", 0, "when", "lead_status", "is"), True, (4, 21)),
        (("rules", 0, "when", "lead_status", "is"), False, (4, 25)),
        (("rules", 1, "then", 0, "set", "lead_status"), False, (6, 32)),
        (("rules", 0, "then", 0, "set"), False, (2, 5)),  # not there: the nearest parent
        (("rules", 0, "mode"), True, (2, 5)),
        (("rules", 7), False, (2, 3)),
        (("nothing", "here"), True, (1, 1)),
        ((), False, (1, 1)),
    ],
)
def test_every_path_has_its_line_and_column(path: tuple[str | int, ...], key: bool, position: tuple[int, int]) -> None:
    assert compose(RULES, "rules.yaml").where(path, key) == position


def test_columns_count_characters() -> None:
    assert compose('{é: "ü", 😀: x}', "f").where(("😀",), key=True) == (1, 10)


def test_a_value_is_found_by_its_path() -> None:
    document = compose(RULES, "rules.yaml")
    assert document.at(("rules", 1, "then", 0, "set")) == {"lead_status": "NO"}
    assert str(document.problem(("rules", 1, "id"), "no")) == "rules.yaml:5:9: no"
    with pytest.raises(KeyError):
        document.at(("rules", 1, "when"))


def test_text_in_another_encoding_is_told_where_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("id: a\nsays: é caf".encode() + b"\xe9\n")
    assert faults(path) == ["2:12: this is not UTF-8 text; save the file with the encoding UTF-8"]


def test_a_byte_order_mark_and_windows_line_ends_are_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbfid: a\r\nsays: b\r\n")
    document = read(path)
    assert document.data == {"id": "a", "says": "b"}
    assert document.where(("says",)) == (2, 7)


def test_a_file_that_is_not_there_is_a_fault_of_its_own(tmp_path: Path) -> None:
    assert faults(tmp_path / "none.yaml") == ["1:1: this file can't be read: No such file or directory"]


@given(st.text(st.sampled_from("ab:-[]{}\"'#&*!|>%@`?,~ \t\n\r\x00\x85é<=.0"), max_size=40))
def test_whatever_is_in_a_file_it_is_read_or_refused(text: str) -> None:
    problems = faults_of(text)
    assert problems is None or all(problem.line >= 1 and problem.column >= 1 for problem in problems)
    assert problems != ()
