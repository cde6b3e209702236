"""The forms of all documents. Each function and each name in capitals makes, or is, a check that raises Fault."""

import re
from datetime import datetime, timezone

from canonical import MAX_INTEGER, Fault

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"


def kind_of(wanted):
    def check(value):
        if type(value) is not wanted:
            raise Fault("fields")
    return check


TEXT, BOOLEAN = kind_of(str), kind_of(bool)


def matching(pattern, fault="content"):
    expression = re.compile(pattern)

    def check(value):
        TEXT(value)
        if not expression.fullmatch(value):
            raise Fault(fault)
    return check


def one_of(*values, fault="content"):
    def check(value):
        TEXT(value)
        if value not in values:
            raise Fault(fault)
    return check


def whole(least):
    def check(value):
        kind_of(int)(value)
        if value < least:
            raise Fault("content")
    return check


def items(item, least=0, most=None):
    def check(value):
        kind_of(list)(value)
        for entry in value:
            item(entry)
        if len(value) < least or (most is not None and len(value) > most):
            raise Fault("content")
    return check


def members(required, optional=None):
    """An object with exactly these members; an optional one is not empty."""
    optional = optional or {}

    def check(value):
        kind_of(dict)(value)
        if not required.keys() <= value.keys() <= required.keys() | optional.keys():
            raise Fault("fields")
        for name, content in value.items():
            (required.get(name) or optional[name])(content)
            if name in optional and content in ("", [], 0, {}):
                raise Fault("fields")
    return check


def dictionary(item):
    def check(value):
        kind_of(dict)(value)
        for content in value.values():
            item(content)
    return check


def parse_time(text):
    """A time in UTC and whole seconds; ValueError otherwise."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", text):
        raise ValueError("no time in UTC and whole seconds")
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def TIME(value):
    TEXT(value)
    try:
        parse_time(value)
    except ValueError as error:
        raise Fault("content") from error


def DIGEST(value):
    matching("[0-9a-f]{64}")(value)


COUNT, NUMBER, POSITION = whole(0), whole(1), whole(-MAX_INTEGER)
FRACTION = matching(r"-?(0|[1-9][0-9]*)(\.[0-9]{0,5}[1-9])?")
TEXTS = items(TEXT)
FILE = members({"sha256": DIGEST, "bytes": COUNT})

ENVELOPE = members({
    "payload": TEXT,
    "payloadType": one_of(PAYLOAD_TYPE, fault="type"),
    "signatures": items(members({"keyid": TEXT, "sig": TEXT})),
})

FRAMES = members({
    "algorithm": one_of("sha256"), "width": COUNT, "height": COUNT, "pixel_format": TEXT,
    "time_base": matching("[1-9][0-9]{0,15}/[1-9][0-9]{0,15}"),
    "pts": items(POSITION), "digests": items(DIGEST),
})

NETWORK = members({
    "name": TEXT, "sha256": DIGEST, "engine": TEXT, "longs": items(COUNT), "threshold": FRACTION, "every": COUNT,
})

MANIFEST = members({
    "outcome": one_of("released", "held"),
    "original": members({"sha256": DIGEST, "bytes": COUNT}, {"version": TEXT, "etag": TEXT}),
    "derivative": members({"sha256": DIGEST, "bytes": COUNT, "frames": FRAMES}, {"encryption": TEXT}),
    "report": FILE,
    "withheld": members({
        "plan": FILE,
        "log": members({"sha256": DIGEST, "bytes": COUNT, "entries": COUNT, "head": DIGEST}),
        "annex": DIGEST,
    }, {"contact": FILE}),
    "policy": members({"name": TEXT, "sha256": DIGEST}),
    "redaction": members({
        "frames": COUNT, "tracks": COUNT, "kept": COUNT, "decided": BOOLEAN, "masked": FRACTION,
        "whole_frames": COUNT, "audio": TEXT, "findings": TEXTS, "notes": TEXTS, "warnings": TEXTS,
    }),
    "removed": items(members({"kind": TEXT, "count": COUNT})),
    "concealed": members({"frames": COUNT, "spans": items(items(COUNT, 2, 2))}),
    "verified": members({
        "checks": items(members({"name": TEXT, "result": one_of("passed", "failed", "not done"), "text": TEXT})),
        "psnr": FRACTION, "rounds": COUNT,
    }),
    "software": members({
        "veil": TEXT, "analyzed": TEXT, "go": TEXT, "ffmpeg": TEXT, "opencv": TEXT, "networks": items(NETWORK),
    }),
    "settings": members({
        "decoder_threads": COUNT, "encoder_threads": COUNT, "threads": COUNT, "cores": COUNT, "cpu": TEXT,
        "crf": COUNT,
    }),
    "encoder": TEXTS,
    "sandbox": TEXTS,
    "times": members({"started": TIME, "ended": TIME, "sealed": TIME}),
}, {
    "job": members({
        "id": matching("(?s).+"), "generation": NUMBER, "epoch": NUMBER, "attempt": NUMBER,
    }),
    "supersedes": DIGEST,
    "store": members({"kind": TEXT, "encryption": TEXT, "conditional_writes": BOOLEAN, "versions": BOOLEAN}),
})

LATER = members({
    "kind": one_of("release", "disclosure", "withdrawal", "deletion"),
    "manifest": DIGEST, "seq": NUMBER, "predecessor": DIGEST, "time": TIME, "annex": DIGEST,
})

LOG_LINE = members({"seq": POSITION, "prev": TEXT, "time": TIME, "event": TEXT, "data": dictionary(TEXT)})

ANNEX = members({"schema": one_of("veil.annex/1"), "salt": DIGEST}, {
    "source": TEXT, "case": TEXT, "requester": TEXT, "purpose": TEXT, "persons": TEXTS, "job": DIGEST,
    "decisions": DIGEST, "by": TEXT, "recipient": TEXT, "reason": TEXT,
})

TRUST = members({
    "schema": one_of("veil.trust/1"),
    "keys": items(members({"public": TEXT}, {
        "name": TEXT, "from": TIME, "until": TIME, "compromised_since": TIME,
    }), 1),
}, {"authorities": items(members({"certificate": TEXT}, {"name": TEXT}))})


def statement_form(predicate_type, predicate):
    return members({
        "_type": one_of(STATEMENT_TYPE, fault="type"),
        "predicateType": one_of(predicate_type, fault="type"),
        "subject": items(members({"name": one_of("derivative"), "digest": members({"sha256": DIGEST})}), 1, 1),
        "predicate": predicate,
    })


MANIFEST_STATEMENT = statement_form("urn:veil:manifest:1", MANIFEST)
LATER_STATEMENT = statement_form("urn:veil:statement:1", LATER)
