"""The signed envelope, and the manifest and the later statements in it."""

import base64
import binascii
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from canonical import Fault, read_canonical, sha256
from forms import DIGEST, ENVELOPE, LATER_STATEMENT, MANIFEST_STATEMENT, PAYLOAD_TYPE, parse_time

MAX_ENVELOPE = 256 << 20
SUBJECT = re.compile(rb',"subject":\[\{"digest":\{"sha256":"([0-9a-f]{64})"\},"name":"derivative"\}\]\}\Z')


def decode_base64(text):
    """Base64 that encodes to the same text again; ValueError otherwise."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("no base64") from error
    if base64.b64encode(data).decode() != text:
        raise ValueError("no canonical base64")
    return data


class Envelope:
    """A signed document: `payload`, and `keyid` and `signature`, both None where it is unsigned."""

    def __init__(self, data):
        if len(data) > MAX_ENVELOPE:
            raise Fault("unreadable")
        self.digest = sha256(data)
        value = read_canonical(data)
        ENVELOPE(value)
        try:
            self.payload = decode_base64(value["payload"])
            signatures = [(entry["keyid"], decode_base64(entry["sig"])) for entry in value["signatures"]]
        except ValueError as error:
            raise Fault("base64") from error
        if len(signatures) > 1:
            raise Fault("signatures")
        self.keyid, self.signature = signatures[0] if signatures else (None, None)
        if signatures:
            if len(self.signature) != 64:
                raise Fault("signature_form")
            DIGEST(self.keyid)

    def names(self):
        """The digest that the last bytes of the payload name, whatever stands before them; None where they name none."""
        match = SUBJECT.search(self.payload)
        return match[1].decode() if match else None

    def signed_by(self, key):
        """Whether the signature is that of a key of the trust file."""
        text = b"DSSEv1 %d %s %d " % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(self.payload))
        try:
            Ed25519PublicKey.from_public_bytes(key["raw"]).verify(self.signature, text + self.payload)
        except (InvalidSignature, ValueError):
            return False
        return True


def read_manifest(payload):
    """The statement of a manifest, checked for all that its form asks."""
    statement = read_canonical(payload)
    MANIFEST_STATEMENT(statement)
    check_manifest(statement)
    return statement


def check_manifest(statement):
    """The rules that hold between members of a manifest."""
    manifest = statement["predicate"]
    frames = manifest["derivative"]["frames"]
    count, pts = len(frames["digests"]), frames["pts"]
    times = [parse_time(manifest["times"][name]) for name in ("started", "ended", "sealed")]
    in_order = (
        statement["subject"][0]["digest"]["sha256"] == manifest["derivative"]["sha256"]
        and 0 < count == len(pts) == manifest["redaction"]["frames"]
        and all(before < after for before, after in zip(pts, pts[1:]))
        and spans_hold(manifest["concealed"], count)
        and times == sorted(times)
    )
    if not in_order:
        raise Fault("content")


def spans_hold(concealed, count):
    end, total = -1, 0
    for first, last in concealed["spans"]:
        if not end < first <= last < count:
            return False
        end, total = last, total + last - first + 1
    return total == concealed["frames"]


def read_later(payload):
    statement = read_canonical(payload)
    LATER_STATEMENT(statement)
    return statement
