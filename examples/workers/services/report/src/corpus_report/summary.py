"""Figures about an index."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import accumulate

from .index import Document, Index


@dataclass(frozen=True)
class Summary:
    documents: int
    occurrences: int
    vocabulary: int
    hapaxes: int  # terms that occur only once
    median_length: float
    longest: list[Document]
    common: list[tuple[str, int, int]]  # term, occurrences, documents
    half: int  # so many of the most common terms make up half of all text


def summarize(index: Index, top: int = 10) -> Summary:
    counts = {term: sum(n for _, n in found) for term, found in index.postings.items()}
    ranked = sorted(counts, key=lambda term: (-counts[term], term))
    occurrences = sum(counts.values())

    half = 0
    for half, so_far in enumerate(accumulate(counts[term] for term in ranked), start=1):  # noqa: B007
        if 2 * so_far >= occurrences:
            break

    lengths = [document.terms for document in index.documents]
    return Summary(
        documents=len(lengths),
        occurrences=occurrences,
        vocabulary=len(counts),
        hapaxes=sum(1 for n in counts.values() if n == 1),
        median_length=statistics.median(lengths) if lengths else 0,
        longest=sorted(index.documents, key=lambda d: (-d.terms, d.path))[:top],
        common=[(term, counts[term], len(index.postings[term])) for term in ranked[:top]],
        half=half,
    )
