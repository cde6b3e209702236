"""Whom to trust: keys and time stamp authorities."""

import re
from pathlib import Path

from cryptography import x509

from canonical import Fault, parse_json, sha256
from envelope import decode_base64
from forms import TRUST, parse_time

KEY_PREFIX = bytes.fromhex("302a300506032b6570032100")


class Refused(Exception):
    """The command can not be done."""

    def __init__(self, text, status=1):
        super().__init__(text)
        self.status = status


class Trust:
    """Whom to believe: keys by their fingerprint, and certificates of time stamp authorities."""

    def __init__(self):
        self.keys = {}
        self.authorities = []

    def add_key(self, der, **entry):
        if len(der) != 44 or not der.startswith(KEY_PREFIX):
            raise Refused("trust file: no Ed25519 public key")
        if sha256(der) in self.keys:
            raise Refused("trust file: a key stands there twice")
        self.keys[sha256(der)] = {"raw": der[len(KEY_PREFIX):], **entry}

    def add_authority(self, der):
        try:
            self.authorities.append(x509.load_der_x509_certificate(der))
        except ValueError as error:
            raise Refused("trust file: no certificate") from error


def read_trust(path):
    """Read a trust file, or PEM."""
    data = Path(path).read_bytes()
    trust = read_trust_pem(data) if b"-----BEGIN " in data else read_trust_json(data)
    if not trust.keys:
        raise Refused("trust file: no key")
    return trust


def unique_members(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member stands there twice")
    return dict(pairs)


def read_trust_json(data):
    trust = Trust()
    try:
        value = parse_json(data, object_pairs_hook=unique_members)
        TRUST(value)
        for entry in value["keys"]:
            times = {name: parse_time(entry[name]) for name in ("from", "until", "compromised_since") if name in entry}
            trust.add_key(decode_base64(entry["public"]), name=entry.get("name"), **times)
        for entry in value.get("authorities", []):
            trust.add_authority(decode_base64(entry["certificate"]))
    except (ValueError, Fault) as error:
        raise Refused(f"trust file: {error}") from error
    return trust


def read_trust_pem(data):
    trust = Trust()
    blocks = re.findall(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", data, re.DOTALL)
    for label, body in blocks:
        try:
            der = decode_base64(b"".join(body.split()).decode("ascii"))
        except ValueError as error:
            raise Refused("trust file: broken PEM") from error
        if label == b"PUBLIC KEY":
            trust.add_key(der)
        elif label == b"CERTIFICATE":
            trust.add_authority(der)
        else:
            raise Refused(f"trust file: {label.decode()} does not belong there")
    return trust
