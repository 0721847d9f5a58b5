"""Checks the documents: every relative link leads somewhere, every make target named exists.

Reads each Markdown file of the project; prints one line a fault, and exits 1 if there is any.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MAKE = re.compile(r"(?:`|^\$? *)make ([a-z][a-z-]*)", re.MULTILINE)


def markdown_files() -> list[Path]:
    """Every Markdown file that git would publish."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return sorted(ROOT / name for name in listed.split("\0") if name and (ROOT / name).exists())


def anchors(text: str) -> set[str]:
    """The anchors that a forge derives from the headings of a document."""
    found: dict[str, int] = {}
    names = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        names.add(f"{slug}-{count}" if count else slug)
    return names


def broken_links(document: Path, text: str) -> list[str]:
    """The relative links of a document whose file or heading does not exist."""
    faults = []
    for link in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / unquote(path)).resolve() if path else document
        if not target.exists():
            faults.append(f"link to a missing file: {link}")
        elif (
            anchor
            and target.suffix == ".md"
            and unquote(anchor) not in anchors(target.read_text(encoding="utf-8"))
        ):
            faults.append(f"link to a missing heading: {link}")
    return faults


def missing_targets(text: str, targets: set[str]) -> list[str]:
    """The make targets that a document names and the Makefile lacks."""
    return [f"no such target: make {name}" for name in MAKE.findall(text) if name not in targets]


def main() -> None:
    """Checks all documents."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    documents = markdown_files()
    faults = []
    for document in documents:
        text = document.read_text(encoding="utf-8")
        faults += [
            f"{document.relative_to(ROOT)}: {fault}"
            for fault in broken_links(document, text) + missing_targets(text, targets)
        ]
    print(*faults, f"{len(documents)} documents, {len(faults)} faults", sep="\n")
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
