"""Check that a wheel holds every file of the package, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "panacea_sim/"


def main(wheel: str) -> None:
    """Compare the names in the wheel with the files that git tracks, or where there is no git with those on disk."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = tracked() or {
        str(path.relative_to(ROOT))
        for path in (ROOT / PACKAGE).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    if packed != expected:
        missing, surplus = sorted(expected - packed), sorted(packed - expected)
        raise SystemExit(f"{wheel}: missing {missing}, not of the package {surplus}")
    print(f"{Path(wheel).name}: {len(packed)} files, as in {PACKAGE}")


def tracked() -> set[str]:
    """Return the files of the package that git tracks; none without git."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", PACKAGE]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")
    return {name for name in listed if name and (ROOT / name).is_file()}


if __name__ == "__main__":
    main(sys.argv[1])
