"""The command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import __version__
from .index import IndexFileError, read_index
from .render import to_html, to_markdown
from .summary import summarize

FORMATS = {"html": to_html, "md": to_markdown}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="corpus-report", description=__doc__)
    parser.add_argument("index", type=Path, help="index file of the index worker")
    parser.add_argument("-o", "--output", type=Path, help="write to this file")
    parser.add_argument("--format", choices=sorted(FORMATS), default="md")
    parser.add_argument("--top", type=int, default=10, help="length of the lists (default: 10)")
    parser.add_argument("--version", action="version", version=f"corpus-report {__version__}")
    args = parser.parse_args(argv)

    try:
        index = read_index(args.index)
    except (OSError, IndexFileError) as error:
        print(f"corpus-report: {error}", file=sys.stderr)
        return 1
    text = FORMATS[args.format](summarize(index, top=args.top))
    if args.output:
        args.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
