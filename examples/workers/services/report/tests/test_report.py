from pathlib import Path

import pytest

from corpus_report.__main__ import main
from corpus_report.index import Index, IndexFileError, read_index
from corpus_report.render import to_html, to_markdown
from corpus_report.summary import summarize

SAMPLE = Path(__file__).parent / "data" / "index.json"


def test_figures():
    s = summarize(read_index(SAMPLE), top=3)
    assert (s.documents, s.occurrences, s.vocabulary, s.hapaxes) == (2, 11, 7, 4)
    assert s.median_length == 5.5
    assert s.common == [("signal", 3, 1), ("box", 2, 1), ("set", 2, 2)]
    assert s.half == 3
    assert [d.path for d in s.longest] == ["rail/signals.md", "locks.md"]


def test_empty_index():
    s = summarize(Index([], {}))
    assert (s.documents, s.occurrences, s.half, s.common) == (0, 0, 0, [])
    assert "| documents | 0 |" in to_markdown(s)


def test_markdown():
    text = to_markdown(summarize(read_index(SAMPLE)))
    assert "| signal | 3 | 1 |" in text
    assert "| Signals & points | rail/signals.md | 7 |" in text


def test_html_is_escaped():
    text = to_html(summarize(read_index(SAMPLE)))
    assert "<td>Signals &amp; points</td>" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("docs: []", "not JSON"),
        ("[]", "format None"),
        ('{"format": 2}', "format 2"),
        ('{"format": 1, "docs": [{}], "postings": {}}', "damaged"),
    ],
)
def test_bad_files(tmp_path, text, message):
    file = tmp_path / "index.json"
    file.write_text(text)
    with pytest.raises(IndexFileError, match=message):
        read_index(file)


def test_command_line(tmp_path, capsys):
    out = tmp_path / "report.html"
    assert main([str(SAMPLE), "--format", "html", "-o", str(out)]) == 0
    assert "<h1>Index report</h1>" in out.read_text()

    assert main([str(SAMPLE), "--top", "1"]) == 0
    assert "| box |" not in capsys.readouterr().out

    assert main([str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err
