"""A summary as Markdown and as a page of HTML."""

from __future__ import annotations

from html import escape

from .summary import Summary

Table = tuple[str, list[str], list[list[str]]]

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Index report</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; }}
  table {{ border-collapse: collapse; }}
  td, th {{ padding: .2rem .8rem .2rem 0; text-align: left; border-bottom: 1px solid #ddd; }}
</style>
<h1>Index report</h1>
{body}
</html>
"""


def to_markdown(summary: Summary) -> str:
    parts = ["# Index report"]
    for title, head, rows in tables(summary):
        lines = [head, ["---"] * len(head), *rows]
        table = "\n".join("| " + " | ".join(c.replace("|", "\\|") for c in r) + " |" for r in lines)
        parts.append(f"## {title}\n\n{table}")
    return "\n\n".join(parts) + "\n"


def to_html(summary: Summary) -> str:
    parts = []
    for title, head, rows in tables(summary):
        parts.append(f"<h2>{escape(title)}</h2>\n<table>\n{row(head, 'th')}")
        parts += [row(cells, "td") for cells in rows]
        parts.append("</table>")
    return PAGE.format(body="\n".join(parts))


def row(cells: list[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def tables(s: Summary) -> list[Table]:
    figures = [
        ["documents", f"{s.documents:,}"],
        ["words", f"{s.occurrences:,}"],
        ["words in the median document", f"{s.median_length:,g}"],
        ["different terms", f"{s.vocabulary:,}"],
        ["terms that occur once", f"{s.hapaxes:,}"],
        ["terms that make up half of all text", f"{s.half:,}"],
    ]
    return [
        ("Figures", ["what", "how many"], figures),
        (
            "Common terms",
            ["term", "occurrences", "documents"],
            [[term, f"{n:,}", f"{documents:,}"] for term, n, documents in s.common],
        ),
        (
            "Longest documents",
            ["title", "path", "words"],
            [[d.title, d.path, f"{d.terms:,}"] for d in s.longest],
        ),
    ]
