"""Packs files into ARCHIVE.tar.gz together with their SHA256SUMS.

    pack.py ARCHIVE.tar.gz FILE...

Beside the archive goes ARCHIVE.tar.gz.sha256. The same files give the same
bytes: names are sorted, owners are nobody, and every date is SOURCE_DATE_EPOCH.
"""

import gzip
import hashlib
import io
import os
import sys
import tarfile
from pathlib import Path


def main(archive: Path, files: list[Path]) -> None:
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    folder = archive.name.removesuffix(".tar.gz")

    entries = {path.name: (path.read_bytes(), 0o755) for path in files}
    if len(entries) != len(files):
        sys.exit("pack.py: two files have one name")
    sums = "".join(f"{digest(entries[name][0])}  {name}\n" for name in sorted(entries))
    entries["SHA256SUMS"] = (sums.encode(), 0o644)

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(entries):
            data, mode = entries[name]
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size, info.mode, info.mtime = len(data), mode, epoch
            tar.addfile(info, io.BytesIO(data))
    archive.write_bytes(gzip.compress(packed.getvalue(), compresslevel=6, mtime=epoch))

    beside = archive.with_name(archive.name + ".sha256")
    beside.write_text(f"{digest(archive.read_bytes())}  {archive.name}\n")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: pack.py ARCHIVE.tar.gz FILE...")
    main(Path(sys.argv[1]), [Path(arg) for arg in sys.argv[2:]])
