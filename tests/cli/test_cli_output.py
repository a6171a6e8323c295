"""Rows out: the same facts in four forms, none of which lets what a cell holds act."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from hubsync.cli.options import Format
from hubsync.cli.output import Cell, Column, OutputFailed, Report, Table, as_text, emit
from hubsync.errors import SettingsError

COLUMNS = (Column("contact", "Contact"), Column("rule", "Rule"), Column("days", "Days", numeric=True))
AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def a_report(*rows: tuple[Cell, ...], document: dict[str, Any] | None = None) -> Report:
    return Report(
        title="What the audit found",
        facts=(("Portal", "4211"), ("Read", AT)),
        summaries=(
            Table((Column("rule", "Rule"), Column("count", "Count", numeric=True)), [("A2", len(rows))], "By rule"),
        ),
        table=Table(COLUMNS, iter(rows), "Findings"),
        document=document,
    )


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_in_a_pipe_a_table_is_whole_lines_with_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    emit(a_report(("501", "x" * 300, 12), ("502", None, 1.5)))
    assert capsys.readouterr().out.splitlines() == [
        "Portal: 4211",
        "Read: 2026-11-22 09:30:00 UTC",
        "",
        "By rule",
        "Rule\tCount",
        "A2\t2",
        "",
        "Findings",
        "Contact\tRule\tDays",
        f"501\t{'x' * 300}\t12",
        "502\t\t1.5",
    ]


def test_on_a_terminal_a_table_is_drawn_and_markup_stays_text(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = FakeTerminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    emit(a_report(("501", "[red]mqls[/red] :smile:", 12)))
    drawn = terminal.getvalue()
    assert "─" in drawn
    assert "[red]mqls[/red] :smile:" in drawn


def test_on_a_terminal_a_long_table_is_drawn_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = FakeTerminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    emit(a_report(*((str(number), "A2", number) for number in range(1_001))))
    drawn = terminal.getvalue()
    assert drawn.count("Contact") == 3
    assert drawn.count("Findings") == 1
    assert sum("A2 " in line for line in drawn.splitlines()) == 1_001 + 1


def test_a_cell_can_not_steer_a_terminal() -> None:
    assert as_text("a\x1b[31mb\r\nc\td\x9be\u202ef") == "a [31mb  c d e f"


def test_json_is_an_array_of_rows_by_key(capsys: pytest.CaptureFixture[str]) -> None:
    emit(a_report(("501", "A2", 12), ("502", None, True)), form=Format.JSON)
    assert json.loads(capsys.readouterr().out) == [
        {"contact": "501", "rule": "A2", "days": 12},
        {"contact": "502", "rule": None, "days": True},
    ]


def test_json_without_rows_is_an_empty_array(capsys: pytest.CaptureFixture[str]) -> None:
    emit(a_report(), form=Format.JSON)
    assert json.loads(capsys.readouterr().out) == []


def test_json_follows_the_document_where_one_is_given_and_reads_its_iterators(
    capsys: pytest.CaptureFixture[str],
) -> None:
    document = {"portal": 4211, "at": AT, "findings": ({"contact": str(n)} for n in range(2)), "backlog": iter(())}
    emit(a_report(document=document), form=Format.JSON)
    assert json.loads(capsys.readouterr().out) == {
        "portal": 4211,
        "at": "2026-11-22T09:30:00Z",
        "findings": [{"contact": "0"}, {"contact": "1"}],
        "backlog": [],
    }


def test_csv_is_the_rows_alone_under_their_keys(capsys: pytest.CaptureFixture[str]) -> None:
    emit(a_report(("501", 'says "hi", twice\nover', -3)), form=Format.CSV)
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [
        ["contact", "rule", "days"],
        ["501", 'says "hi", twice\nover', "-3"],
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_a_spreadsheet_gets_no_formula_from_a_cell(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    emit(a_report((text, "a=b", 1)), form=Format.CSV)
    assert list(csv.reader(io.StringIO(capsys.readouterr().out)))[1] == [f"'{text}", "a=b", "1"]


def test_a_cell_with_line_ends_of_any_kind_stays_one_cell(capsys: pytest.CaptureFixture[str]) -> None:
    emit(a_report(("\r=1", "a\r\nb\rc", 1)), form=Format.CSV)
    assert list(csv.reader(io.StringIO(capsys.readouterr().out)))[1] == ["'\n=1", "a\nb\nc", "1"]


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_holds_everything_and_fetches_and_runs_nothing(isolated: Path) -> None:
    emit(a_report(("501", "<script>alert(1)</script>", 12)), out=Path("audit.html"))
    page = Page((isolated / "audit.html").read_text())
    tags = [tag for tag, _ in page.tags]
    assert {"script", "link", "img", "iframe"}.isdisjoint(tags)
    assert not [
        name for _, attributes in page.tags for name in attributes if name in ("src", "href") or name[:2] == "on"
    ]
    assert tags.count("table") == 2
    assert all(attributes.get("scope") == "col" for tag, attributes in page.tags if tag == "th")
    for said in ("What the audit found", "4211", "By rule", "Findings", "<script>alert(1)</script>"):
        assert said in page.text


def test_the_ending_of_the_file_chooses_the_form_and_an_option_overrules_it(isolated: Path) -> None:
    emit(a_report(("501", "A2", 1)), out=Path("a.json"))
    emit(a_report(("501", "A2", 1)), out=Path("a.txt"))
    emit(a_report(("501", "A2", 1)), form=Format.CSV, out=Path("b.json"))
    assert json.loads((isolated / "a.json").read_text())[0]["contact"] == "501"
    assert (isolated / "a.txt").read_text().startswith("Portal: 4211\n")
    assert (isolated / "b.json").read_text() == "contact,rule,days\n501,A2,1\n"


def test_a_file_that_fails_half_way_leaves_the_former_one_whole(isolated: Path) -> None:
    def rows() -> Iterator[tuple[Cell, ...]]:
        yield ("501", "A2", 1)
        raise KeyboardInterrupt

    (isolated / "a.csv").write_text("former")
    with pytest.raises(KeyboardInterrupt):
        emit(Report("x", Table(COLUMNS, rows())), out=Path("a.csv"))
    assert (isolated / "a.csv").read_text() == "former"
    assert sorted(path.name for path in isolated.iterdir()) == ["a.csv", "home"]


def test_a_file_keeps_being_a_link_to_where_it_lies(isolated: Path) -> None:
    (isolated / "real.csv").write_text("former")
    (isolated / "a.csv").symlink_to("real.csv")
    emit(a_report(("501", "A2", 1)), out=Path("a.csv"))
    assert (isolated / "a.csv").is_symlink()
    assert (isolated / "real.csv").read_text() == "contact,rule,days\n501,A2,1\n"


def test_a_device_is_written_to_and_not_replaced() -> None:
    emit(a_report(("501", "A2", 1)), out=Path(os.devnull))
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_a_dash_means_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    emit(a_report(("501", "A2", 1)), form=Format.CSV, out=Path("-"))
    assert capsys.readouterr().out == "contact,rule,days\n501,A2,1\n"


def test_a_file_in_no_folder_is_refused_before_anything_is_read() -> None:
    def rows() -> Iterator[tuple[Cell, ...]]:
        raise AssertionError("read")
        yield ()

    with pytest.raises(SettingsError, match="the folder nowhere does not exist; make it first"):
        emit(Report("x", Table(COLUMNS, rows())), out=Path("nowhere/a.csv"))
    with pytest.raises(SettingsError, match="this is a folder; name a file in it"):
        emit(Report("x", Table(COLUMNS, rows())), out=Path())


def test_a_full_disk_is_told_as_what_it_is() -> None:
    with pytest.raises(OutputFailed, match=r"--out /dev/full: it can't be written \(No space left on device\)"):
        emit(a_report(("501", "A2", 1)), out=Path("/dev/full"))


@pytest.mark.parametrize("form", list(Format))
def test_memory_stays_flat_however_many_rows_come(form: Format) -> None:
    rows: Iterator[tuple[Cell, ...]] = ((str(number), "A2", number) for number in range(20_000))
    emit(a_report(("0", "A2", 0)), form=form, out=Path("warm-up"))
    tracemalloc.start()
    emit(Report("x", Table(COLUMNS, rows)), form=form, out=Path("out"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    assert Path("out").stat().st_size > 200_000
