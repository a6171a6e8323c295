"""`hubsync rules guide`: to the screen or into a file, as Markdown or HTML, in the language asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubsync.cli.main import run


def test_the_guide_is_markdown_in_the_portals_language(isolated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "guide"]) == 0
    assert capsys.readouterr().out.startswith("# Lead status guide\n\nVersion ")


@pytest.mark.parametrize(
    ("language", "title"),
    [("fr", "Guide des statuts du lead"), ("de", "Leitfaden zum Leadstatus"), ("id", "Panduan status lead")],
)
def test_a_file_that_ends_in_html_holds_the_page(isolated: Path, language: str, title: str) -> None:
    assert run(["rules", "guide", "--lang", language, "--out", "guide.html"]) == 0
    text = Path("guide.html").read_text(encoding="utf-8")
    assert text.startswith(f'<!doctype html>\n<html lang="{language}">')
    assert f"<title>{title}</title>" in text


def test_the_form_asked_for_outranks_the_ending(isolated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "guide", "--format", "html"]) == 0
    assert capsys.readouterr().out.startswith("<!doctype html>")
    assert run(["rules", "guide", "--format", "markdown", "--out", "guide.html"]) == 0
    assert Path("guide.html").read_text(encoding="utf-8").startswith("# Lead status guide")


def test_a_language_that_hubsync_does_not_write_is_refused(isolated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "guide", "--lang", "es"]) == 2
    assert "es" in capsys.readouterr().err
