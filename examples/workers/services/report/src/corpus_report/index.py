"""The index file, as the index worker writes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FORMAT = 1


class IndexFileError(ValueError):
    """The file is not an index that this version reads."""


@dataclass(frozen=True)
class Document:
    path: str
    title: str
    terms: int


@dataclass(frozen=True)
class Index:
    documents: list[Document]
    # term -> (number of the document, occurrences in it)
    postings: dict[str, list[tuple[int, int]]]


def read_index(path: Path) -> Index:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise IndexFileError(f"{path}: not JSON: {error}") from None
    found = data.get("format") if isinstance(data, dict) else None
    if found != FORMAT:
        raise IndexFileError(f"{path}: format {found}, this version reads {FORMAT}")
    try:
        documents = [Document(d["path"], d["title"], d["terms"]) for d in data["docs"]]
        postings = {
            term: [(p["doc"], p["count"]) for p in found]
            for term, found in data["postings"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise IndexFileError(f"{path}: damaged: {error!r}") from None
    return Index(documents, postings)
