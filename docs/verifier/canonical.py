"""Canonical JSON (RFC 8785 with the narrower rules of docs/evidence.md), and why a document was not accepted."""

import hashlib
import json

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 64


class Fault(Exception):
    """A document is not in its form. `kind` is the last part of the code: not_json, fields, content, ..."""

    def __init__(self, kind):
        super().__init__(kind)
        self.kind = kind


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def parse_json(data, **hooks):
    """JSON as UTF-8; ValueError otherwise."""
    def refuse(text):
        raise ValueError(text)

    try:
        return json.loads(data.decode("utf-8"), parse_constant=refuse, **hooks)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def integer(text):
    """An integer of canonical JSON. What is no such number is kept as a float, which is never encoded again."""
    value = int(text) if len(text) <= 17 else 0
    return value if str(value) == text and abs(value) <= MAX_INTEGER else float("nan")


def encode(value, depth=0):
    """Canonical JSON of what was parsed."""
    if depth > MAX_DEPTH or isinstance(value, float):
        raise Fault("not_canonical")
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(encode(name) + ":" + encode(value[name], depth + 1) for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(encode(item, depth + 1) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def read_canonical(data):
    """Parse canonical JSON; what is JSON and not canonical is refused."""
    try:
        value = parse_json(data, parse_int=integer, parse_float=lambda text: float("nan"))
    except UnicodeDecodeError as error:
        raise Fault("not_canonical") from error
    except ValueError as error:
        raise Fault("not_json") from error
    try:
        same = encode(value).encode("utf-8") == data
    except UnicodeEncodeError:
        same = False
    if not same:
        raise Fault("not_canonical")
    return value
