"""Results of cases as JUnit XML, which continuous integration shows: a test suite per file, a test per case."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from hubsync.rulefiles.playing import CaseResult

_NOT_XML = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")


def junit(results: Sequence[CaseResult]) -> str:
    """The document, in UTF-8. A failure's first line is its message; a case's line in the file goes with it."""
    root = ET.Element("testsuites", {"name": "hubsync rules test", **_counts(results)})
    for file, group in groupby(sorted(results, key=lambda r: r.file), key=lambda r: r.file):
        of_file = list(group)
        suite = ET.SubElement(root, "testsuite", {"name": file, "skipped": "0", **_counts(of_file)})
        for result in of_file:
            case = ET.SubElement(
                suite,
                "testcase",
                classname=file.removesuffix(".yaml").replace("/", "."),
                name=_readable(result.name),
                file=file,
                line=str(result.line),
                time=f"{result.seconds:.6f}",
            )
            if not result.ok:
                message = _readable(result.message)
                failure = ET.SubElement(case, "failure", message=message.partition("\n")[0], type="case")
                failure.text = f"{file}:{result.line}: {message}"
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _counts(results: Sequence[CaseResult]) -> dict[str, str]:
    return {
        "tests": str(len(results)),
        "failures": str(sum(not r.ok for r in results)),
        "errors": "0",
        "time": f"{sum(r.seconds for r in results):.6f}",
    }


def _readable(text: str) -> str:
    """Without what XML can't hold."""
    return _NOT_XML.sub("", text)
