#!/usr/bin/env python3
"""Run this verifier over a folder of sets and compare its answers with those of another.

Usage: agree.py SETS

Each set is a folder with the files of one derivative, `trust.json`, and `expected.json`: the derivative's name, and what
the other verifier said: the outcome, result and code of each check, and the notes. Those answers were made without
ffmpeg, so the pictures are not decoded here either. Where a document is not in its form, which fault of form is told is
not fixed, and any counts as the same. Prints what differs and ends with 1 if anything does.
"""

import json
import sys
from pathlib import Path

from verify_evidence import verify

FORM = ("envelope_", "manifest_")


def said(check):
    """Result and code of a check, as far as they are fixed."""
    result, code = check["result"], check["code"]
    return [result, "form" if result == "failed" and code.startswith(FORM) else code]


def differences(expected, answer):
    """What is different, one text each."""
    checks = {check["name"]: said(check) for check in answer["checks"]}
    wanted = {name: said(check) for name, check in expected["checks"].items()}
    found = [
        f"{name}: expected {wanted.get(name)}, got {checks.get(name)}"
        for name in sorted(wanted.keys() | checks.keys()) if wanted.get(name) != checks.get(name)
    ]
    if expected["outcome"] != answer["outcome"]:
        found.append(f"outcome: expected {expected['outcome']}, got {answer['outcome']}")
    if sorted(expected["notes"]) != sorted(answer["notes"]):
        found.append(f"notes: expected {expected['notes']}, got {answer['notes']}")
    return found


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    folders = sorted(path for path in Path(sys.argv[1]).iterdir() if (path / "expected.json").exists())
    agreeing = 0
    for folder in folders:
        expected = json.loads((folder / "expected.json").read_text())
        found = differences(expected, verify(folder / expected["derivative"], folder / "trust.json", use_ffmpeg=False))
        agreeing += not found
        if found:
            print(folder.name, *found, sep="\n    ")
    print(f"{agreeing} of {len(folders)} sets agree")
    return 0 if folders and agreeing == len(folders) else 1


if __name__ == "__main__":
    sys.exit(main())
