"""The status guide as Markdown, for a wiki, and as one HTML page, for reading, mailing and printing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from hubsync.insights.guide import Entry, Guide, Line, Required

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def as_markdown(guide: Guide) -> str:
    """The guide as Markdown: one heading per status, lists below."""
    return "\n".join(_markdown(guide)) + "\n"


def as_html(guide: Guide) -> str:
    """The guide as one HTML page without scripts or anything to fetch."""
    environment = Environment(
        loader=PackageLoader("hubsync.insights"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("guide.html").render(guide=guide, words=guide.words, version=version(guide))


def version(guide: Guide) -> str:
    """Which rules it was written from, and when."""
    return guide.words.version.format(digest=guide.digest, day=guide.day.isoformat())


def _markdown(guide: Guide) -> Iterator[str]:
    words = guide.words
    yield from (f"# {words.title}", "", _plain(version(guide)), "", _plain(words.intro))
    for entry in guide.entries:
        yield from ("", f"## {_plain(entry.label)}", "")
        yield from _markdown_of(guide, entry)
    if guide.everywhere:
        yield from ("", f"## {words.everywhere}", "", *_lines(guide.everywhere))


def _markdown_of(guide: Guide, entry: Entry) -> Iterator[str]:
    words = guide.words
    yield f"- **{words.value}**: `{entry.value}`"
    for title, text in entry.definition:
        yield f"- **{title}**: {_plain(text)}"
    if entry.required:
        yield from (f"- **{words.required}**:", *(f"  - {_required(one)}" for one in entry.required))
    yield f"- **{words.person}**: {words.by_hand if entry.by_hand else words.automatic}"
    for title, lines in (
        (words.enters, entry.enters),
        (words.leaves, entry.leaves),
        (words.starts, entry.starts),
    ):
        if lines:
            yield from (f"- **{title}**:", *(f"  {line}" for line in _lines(lines)))
    for title, texts in ((words.clocks, entry.clocks), (words.stages, entry.stages)):
        if texts:
            yield f"- **{title}**: {' '.join(map(_plain, texts))}"
    for title, text in entry.advice:
        yield f"- **{title}**: {_plain(text)}"


def _required(one: Required) -> str:
    names = ", ".join(f"{_plain(label)} (`{name}`)" if label else f"`{name}`" for label, name in one.properties)
    return f"{_plain(one.label)}: {names}" if names else _plain(one.label)


def _lines(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        to = f"→ **{_plain(line.to)}**: " if line.to else ""
        yield f"- {to}{_plain(line.says)} ({line.playbook}, {line.how})"


def _plain(text: str) -> str:
    """Text in which Markdown finds nothing to act on."""
    return _SPECIAL.sub(r"\\\1", text.replace("\n", " "))
