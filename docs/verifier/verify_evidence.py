#!/usr/bin/env python3
"""Check a derivative against the signed evidence that lies beside it: a second verifier, written from docs/evidence.md.

Usage:

    verify_evidence.py DERIVATIVE --trust TRUST.json
    verify_evidence.py DERIVATIVE --trust veil.pub --original IN.mov --json

DERIVATIVE    the video file; its set (NAME.manifest.json and so on) is looked for in the same folder
--trust       a trust file (veil.trust/1), or PEM: public keys and certificates of time stamp authorities
--original    the original, to compare its digest
--no-ffmpeg   do not decode the pictures
--json        print the answer as JSON

Exit status: 0 every check passed, 4 at least one failed, 7 none failed and some were withheld or not done,
2 a file or the set was not found or the command makes no sense, 1 anything else.

It needs Python 3.11 and the package `cryptography`. The walk of the container and the comparison of the pictures
with the original are not part of it: the first is left out, the second is answered with `pictures_not_here`.
"""

import argparse
import hashlib
import json
import os
import sys
from datetime import timedelta
from pathlib import Path

from canonical import Fault, parse_json, read_canonical, sha256
from envelope import Envelope, read_later, read_manifest
from forms import ANNEX, LOG_LINE, parse_time
from pictures import DIFFERENT_BYTES, SAME_BYTES, compare_frames, decode, find_ffmpeg
from results import FAILED, NOT_DONE, PASSED, WITHHELD
from timestamp import check_stamp
from trust import Refused, read_trust

NO_DIGEST = "0" * 64
CLOCK_TOLERANCE = timedelta(minutes=10)
STATEMENT_GAP = 10
MAX_STATEMENTS = 1000
MAX_UNVOUCHED = 32 << 20
UNREADABLE = object()


def digest_file(path):
    """SHA-256 and size of a file that may be large."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size


def read_piece(path):
    """The bytes of a plain file, None where there is nothing, UNREADABLE where there is something else."""
    try:
        return path.read_bytes() if path.is_file() or not path.exists() else UNREADABLE
    except FileNotFoundError:
        return None
    except OSError:
        return UNREADABLE


def find_set(derivative, digest):
    """The manifest that belongs to a derivative: the file under its name, or one that names its digest."""
    stem = derivative.stem if derivative.suffix.lower() == ".mp4" else derivative.name
    own = derivative.with_name(stem + ".manifest.json")
    others = (path for path in derivative.parent.iterdir() if path.name.endswith(".manifest.json"))
    for path in [own, *sorted(others, key=lambda path: os.fsencode(path.name))]:
        if named_digest(path) == digest:
            return path
    if own.exists():
        return own
    raise Refused("there is no evidence beside this file", 2)


def named_digest(path):
    """The digest of the derivative that a manifest names at its end, None where it can not be read."""
    data = read_piece(path)
    try:
        return Envelope(data).names() if isinstance(data, bytes) else None
    except Fault:
        return None


def known_key(envelope, trust):
    """The trusted key that an envelope names, None where there is none."""
    return trust.keys.get(envelope.keyid) if trust else None


def signature_is_bad(envelope, trust):
    """Whether the key is known and the signature does not fit; that holds whatever the payload is."""
    key = known_key(envelope, trust)
    return key is not None and not envelope.signed_by(key)


def is_vouched_for(envelope, trust):
    """Whether a trusted key has signed the payload's bytes."""
    key = known_key(envelope, trust)
    return key is not None and envelope.signed_by(key)


def judge(envelope, trust, claimed, stamped):
    """Result and code of a signature."""
    if envelope.keyid is None:
        return (FAILED if trust else NOT_DONE), "unsigned"
    if not trust:
        return NOT_DONE, "no_trust"
    key = trust.keys.get(envelope.keyid)
    if key is None:
        return FAILED, "key_unknown"
    if not envelope.signed_by(key):
        return FAILED, "signature_bad"
    return judge_times(key, claimed, stamped)


def within(key, time):
    return not ("from" in key and time < key["from"]) and not ("until" in key and time >= key["until"])


def judge_times(key, claimed, stamped):
    """Result and code of a signature that fits, by the times that are known."""
    if not within(key, claimed):
        return FAILED, "outside_validity"
    if stamped and stamped < claimed - CLOCK_TOLERANCE:
        return FAILED, "stamp_before_claim"
    if stamped and "from" in key and stamped < key["from"]:
        return FAILED, "stamp_before_key"
    if "compromised_since" in key and not (stamped and stamped < key["compromised_since"]):
        return FAILED, "key_compromised"
    if stamped and within(key, stamped):
        return PASSED, "valid"
    return PASSED, "valid_time_unproven"


def same_file(data, signed):
    return data is not UNREADABLE and len(data) == signed["bytes"] and sha256(data) == signed["sha256"]


def member(value, *names):
    """A member of members, None where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


class Verification:
    """All checks of one derivative. The answer is in `checks` and `notes`."""

    def __init__(self, derivative, trust=None, original=None, ffmpeg=None):
        self.path, self.trust, self.original, self.ffmpeg = derivative, trust, original, ffmpeg
        self.checks, self.notes = [], []
        self.digest, self.size = digest_file(derivative)
        self.manifest_path = find_set(derivative, self.digest)
        self.name = self.manifest_path.name.removesuffix(".manifest.json")
        self.envelope = self.manifest = None

    def file(self, ending):
        return self.manifest_path.with_name(self.name + ending)

    def add(self, name, result, code):
        self.checks.append({"name": name, "result": result, "code": code})

    def run(self):
        if not self.read():
            return
        self.time_and_signature()
        self.derivative_and_frames()
        self.report_and_plan()
        self.log()
        self.annex_and_contact()
        self.original_and_pictures()
        self.statements()
        self.add_notes()

    def read(self):
        """The check `envelope`. Whether there is a manifest to go on with."""
        code = self.read_envelope()
        result = {"envelope_ok": PASSED, "manifest_large": NOT_DONE}.get(code, FAILED)
        self.add("envelope", result, code)
        if self.manifest:
            return True
        self.add("signature", *self.signature_alone(code))
        for name in ("derivative", "frames", "report", "plan", "log", "annex", "original"):
            self.add(name, NOT_DONE, "no_manifest")
        return False

    def signature_alone(self, code):
        """Result and code of a signature whose manifest was not read."""
        if self.envelope and signature_is_bad(self.envelope, self.trust):
            return FAILED, "signature_bad"
        if code == "manifest_large" and self.trust:
            return FAILED, "unsigned" if self.envelope.keyid is None else "key_unknown"
        return NOT_DONE, "no_manifest"

    def read_envelope(self):
        data = read_piece(self.manifest_path)
        if data is UNREADABLE or data is None:
            return "envelope_unreadable"
        try:
            self.envelope = Envelope(data)
        except Fault as fault:
            return "envelope_" + fault.kind
        if len(self.envelope.payload) > MAX_UNVOUCHED and not is_vouched_for(self.envelope, self.trust):
            return "manifest_large"
        try:
            statement = read_manifest(self.envelope.payload)
        except Fault as fault:
            return "manifest_" + fault.kind
        self.manifest = statement["predicate"]
        return "envelope_ok"

    def stamp(self, path, digest):
        data = read_piece(path)
        if data is None:
            return NOT_DONE, "time_unproven", None
        if data is UNREADABLE:
            return FAILED, "stamp_unreadable", None
        return check_stamp(data, digest, self.trust)

    def time_and_signature(self):
        """The time is looked at first, as the judgement of the signature needs it."""
        result, code, stamped = self.stamp(self.file(".manifest.tsr"), self.envelope.digest)
        claimed = parse_time(self.manifest["times"]["sealed"])
        verdict = judge(self.envelope, self.trust, claimed, stamped)
        if stamped and verdict[1] == "valid_time_unproven":
            result, code = NOT_DONE, "stamp_late"
        self.add("signature", *verdict)
        self.add("time", result, code)

    def derivative_and_frames(self):
        signed = self.manifest["derivative"]
        pictures = compare_frames(decode(self.ffmpeg, self.path), signed["frames"]) if self.ffmpeg else None
        if (self.digest, self.size) == (signed["sha256"], signed["bytes"]):
            self.add("derivative", PASSED, "derivative_same")
            self.add("frames", *SAME_BYTES.get(pictures, (FAILED, "frames_decoder")))
            return
        answer = DIFFERENT_BYTES[pictures]
        self.add("derivative", *answer[:2])
        self.add("frames", *answer[2:])

    def report_and_plan(self):
        source, plan = self.manifest["original"]["sha256"], self.manifest["withheld"]["plan"]
        self.bound("report", self.manifest["report"], (NOT_DONE, "report_missing"), {
            ("source", "sha256"): source,
            ("derivative", "sha256"): self.manifest["derivative"]["sha256"],
            ("plan",): plan["sha256"],
        })
        self.bound("plan", plan, (WITHHELD, "plan_withheld"), {("source", "sha256"): source})

    def bound(self, name, signed, absent, digests):
        """A file of JSON that the manifest binds, and the digests that it must name."""
        data = read_piece(self.file(f".{name}.json"))
        if data is None:
            self.add(name, *absent)
        elif not same_file(data, signed):
            self.add(name, FAILED, name + "_changed")
        elif not self.agrees(data, digests):
            self.add(name, FAILED, name + "_contradicts")
        else:
            self.add(name, PASSED, name + "_same")

    @staticmethod
    def agrees(data, digests):
        try:
            value = parse_json(data)
        except ValueError:
            return False
        return all(member(value, *names) == digest for names, digest in digests.items())

    def log(self):
        data = read_piece(self.file(".log.jsonl"))
        if data is None:
            self.add("log", WITHHELD, "log_withheld")
            return
        code = "log_other" if data is UNREADABLE else check_log(data, self.manifest["withheld"]["log"])
        self.add("log", PASSED if code == "log_same" else FAILED, code)

    def annex_and_contact(self):
        data = read_piece(self.file(".annex.json"))
        if data is None:
            self.add("annex", WITHHELD, "annex_withheld")
        elif data is UNREADABLE or sha256(data) != self.manifest["withheld"]["annex"]:
            self.add("annex", FAILED, "annex_changed")
        elif not is_annex(data):
            self.add("annex", FAILED, "annex_form")
        else:
            self.add("annex", PASSED, "annex_same")
        if "contact" in self.manifest["withheld"]:
            self.contact(self.manifest["withheld"]["contact"])

    def contact(self, signed):
        data = read_piece(self.file(".contact.png"))
        if data is None:
            self.add("contact", WITHHELD, "contact_withheld")
        elif not same_file(data, signed):
            self.add("contact", FAILED, "contact_changed")
        else:
            self.add("contact", PASSED, "contact_same")

    def original_and_pictures(self):
        signed = self.manifest["original"]
        if self.original is None:
            self.add("original", NOT_DONE, "original_missing")
            self.add("pictures", NOT_DONE, "pictures_no_original")
            return
        same = digest_file(self.original) == (signed["sha256"], signed["bytes"])
        self.add("original", *((PASSED, "original_same") if same else (FAILED, "original_other")))
        self.add("pictures", NOT_DONE, "pictures_not_here" if same else "pictures_no_original")

    def statement_path(self, number):
        return self.file(f".statement-{number}.json")

    def any_statement(self):
        return any(self.statement_path(number).exists() for number in range(1, STATEMENT_GAP + 2))

    def statements(self):
        if not self.any_statement():
            self.notes.append("no_statements")
            return
        number, predecessor = 0, self.envelope.digest
        try:
            while (data := self.next_statement(number + 1)) is not None:
                number += 1
                if number > MAX_STATEMENTS:
                    raise Fault("many")
                kind = self.statement(number, data, predecessor)
                predecessor = sha256(data)
                self.notes.append("statement_" + kind)
        except Fault as fault:
            self.add("statements", FAILED, "statement_" + fault.kind)
            return
        self.add("statements", *((PASSED, "statements_same") if self.trust else (NOT_DONE, "no_trust")))

    def next_statement(self, number):
        """The bytes of a statement, None after the last one."""
        data = read_piece(self.statement_path(number))
        if data is UNREADABLE:
            raise Fault("form")
        if data is None and any(
            self.statement_path(later).exists() for later in range(number + 1, number + 1 + STATEMENT_GAP)
        ):
            raise Fault("gap")
        return data

    def statement(self, number, data, predecessor):
        """Check one statement; the answer is its kind."""
        envelope, statement = self.read_statement(data)
        later = statement["predicate"]
        result, _, stamped = self.stamp(self.file(f".statement-{number}.tsr"), envelope.digest)
        if self.trust and result == FAILED:
            raise Fault("stamp")
        if judge(envelope, self.trust, parse_time(later["time"]), stamped)[0] == FAILED:
            raise Fault("signature")
        follows = (
            statement["subject"][0]["digest"]["sha256"] == self.manifest["derivative"]["sha256"]
            and later["manifest"] == self.envelope.digest
            and later["predecessor"] == predecessor
            and later["seq"] == number
        )
        if not follows:
            raise Fault("chain")
        annex = read_piece(self.file(f".statement-{number}.annex.json"))
        if annex is UNREADABLE or (annex is not None and sha256(annex) != later["annex"]):
            raise Fault("annex")
        return later["kind"]

    def read_statement(self, data):
        """The envelope and the payload of one statement."""
        try:
            envelope = Envelope(data)
        except Fault as fault:
            raise Fault("form") from fault
        if envelope.keyid is None:
            raise Fault("unsigned")
        if signature_is_bad(envelope, self.trust):
            raise Fault("signature")
        try:
            return envelope, read_later(envelope.payload)
        except Fault as fault:
            raise Fault("form") from fault

    def add_notes(self):
        if self.manifest["outcome"] == "held":
            self.notes.append("held")
        if "supersedes" in self.manifest:
            self.notes.append("supersedes")

    def outcome(self):
        results = {check["result"] for check in self.checks}
        if FAILED in results:
            return "failed"
        return "complete" if results == {PASSED} else "partial"

    def answer(self):
        return {
            "outcome": self.outcome(), "file": self.path.name, "sha256": self.digest, "checks": self.checks,
            "notes": self.notes,
        }


def check_log(data, signed):
    """The code of the check `log`."""
    position, head = 0, NO_DIGEST
    for number in range(signed["entries"]):
        end = data.find(b"\n", position)
        if end < 0:
            return "log_short"
        line, position = data[position:end], end + 1
        try:
            entry = read_canonical(line)
            LOG_LINE(entry)
        except Fault:
            return "log_edited"
        if entry["seq"] != number or entry["prev"] != head:
            return "log_chain"
        head = sha256(line)
    if head == signed["head"] and position < len(data):
        return "log_long"
    if head != signed["head"] or not same_file(data, signed):
        return "log_other"
    return "log_same"


def is_annex(data):
    try:
        ANNEX(read_canonical(data))
    except Fault:
        return False
    return True


def verify(derivative, trust=None, original=None, use_ffmpeg=True):
    """Check a derivative; paths in, the answer as a dictionary out."""
    verification = Verification(
        Path(derivative), read_trust(trust) if trust else None, Path(original) if original else None,
        find_ffmpeg() if use_ffmpeg else None)
    verification.run()
    return verification.answer()


def main():
    parser = argparse.ArgumentParser(description="Check a derivative against the evidence beside it.")
    parser.add_argument("derivative")
    parser.add_argument("--trust", help="trust file, or PEM")
    parser.add_argument("--original")
    parser.add_argument("--no-ffmpeg", action="store_true", help="do not decode the pictures")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    options = parser.parse_args()
    try:
        answer = verify(options.derivative, options.trust, options.original, not options.no_ffmpeg)
    except Refused as error:
        print(f"verify_evidence: {error}", file=sys.stderr)
        return error.status
    except OSError as error:
        print(f"verify_evidence: {error}", file=sys.stderr)
        return 2 if isinstance(error, FileNotFoundError) else 1
    if options.json:
        print(json.dumps(answer, indent=2))
    else:
        for check in answer["checks"]:
            print(f"{check['name']:<12}{check['result']:<10}{check['code']}")
        for note in answer["notes"]:
            print(f"{'note':<12}{'':<10}{note}")
        print(answer["outcome"])
    return {"complete": 0, "failed": 4, "partial": 7}[answer["outcome"]]


if __name__ == "__main__":
    sys.exit(main())
