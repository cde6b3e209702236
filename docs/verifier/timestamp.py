"""Time stamps (RFC 3161)."""

import hashlib
import re
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from canonical import Fault
from der import CONTEXT_0, CONTEXT_1, GENERALIZED_TIME, INTEGER, OCTETS, OID, SEQUENCE, SET, algorithm, single, take, take_if
from results import FAILED, NOT_DONE, PASSED

OID_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
OID_TST_INFO = bytes.fromhex("2a864886f70d0109100104")
OID_CONTENT_TYPE = bytes.fromhex("2a864886f70d010903")
OID_MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")
OID_SIGNING_CERTIFICATE = bytes.fromhex("2a864886f70d010910020c")
OID_SIGNING_CERTIFICATE_V2 = bytes.fromhex("2a864886f70d010910022f")
OID_SHA256 = bytes.fromhex("608648016503040201")
HASHES = {
    OID_SHA256: hashes.SHA256,
    bytes.fromhex("608648016503040202"): hashes.SHA384,
    bytes.fromhex("608648016503040203"): hashes.SHA512,
}
OID_RSA = bytes.fromhex("2a864886f70d010101")
RSA_HASHES = {
    bytes.fromhex("2a864886f70d01010b"): hashes.SHA256,
    bytes.fromhex("2a864886f70d01010c"): hashes.SHA384,
    bytes.fromhex("2a864886f70d01010d"): hashes.SHA512,
}
ECDSA_HASHES = {
    bytes.fromhex("2a8648ce3d040302"): hashes.SHA256,
    bytes.fromhex("2a8648ce3d040303"): hashes.SHA384,
    bytes.fromhex("2a8648ce3d040304"): hashes.SHA512,
}


class Token:
    """What a time stamp says, taken apart. Nothing is checked yet but the form."""

    def __init__(self, data):
        response = single(data, SEQUENCE).children()
        status = take(take(response, SEQUENCE).children(), INTEGER).number()
        if status not in (0, 1) or len(response) != 1:
            raise Fault("form")
        content = take(response, SEQUENCE).children()
        if take(content, OID).content != OID_SIGNED_DATA:
            raise Fault("form")
        self.read_signed_data(single(take(content, CONTEXT_0).content, SEQUENCE).children())

    def read_signed_data(self, fields):
        take(fields, INTEGER)
        take(fields, SET)
        enclosed = take(fields, SEQUENCE).children()
        if take(enclosed, OID).content != OID_TST_INFO:
            raise Fault("form")
        self.info = single(take(enclosed, CONTEXT_0).content, OCTETS).content
        certificates = take_if(fields, CONTEXT_0)
        take_if(fields, CONTEXT_1)
        signers = take(fields, SET).children()
        if len(signers) != 1 or fields:
            raise Fault("form")
        self.certificates = [load_certificate(node) for node in certificates.children()] if certificates else []
        self.read_signer(signers[0].expect(SEQUENCE).children())
        self.read_info(single(self.info, SEQUENCE).children())

    def read_signer(self, fields):
        take(fields, INTEGER)
        if not fields:
            raise Fault("form")
        fields.pop(0)  # who the signer is: the signed attributes tell that
        self.digest_hash = HASHES.get(algorithm(take(fields, SEQUENCE)))
        self.attributes = take(fields, CONTEXT_0)
        self.signed = bytes([SET]) + self.attributes.raw[1:]
        self.signature_algorithm = algorithm(take(fields, SEQUENCE))
        self.signature = take(fields, OCTETS).content

    def read_info(self, fields):
        version = take(fields, INTEGER).number()
        take(fields, OID)
        imprint = take(fields, SEQUENCE).children()
        if version != 1:
            raise Fault("form")
        by_sha256 = algorithm(take(imprint, SEQUENCE)) == OID_SHA256
        digest = take(imprint, OCTETS).content.hex()
        self.imprint = digest if by_sha256 else None
        take(fields, INTEGER)
        self.time = generalized_time(take(fields, GENERALIZED_TIME).content)


def load_certificate(node):
    try:
        return x509.load_der_x509_certificate(node.expect(SEQUENCE).raw)
    except ValueError as error:
        raise Fault("form") from error


def read_attributes(node):
    """Signed attributes by their type; each stands there once and has one value."""
    attributes = {}
    for attribute in node.children():
        fields = attribute.expect(SEQUENCE).children()
        name = take(fields, OID).content
        values = take(fields, SET).children()
        if name in attributes or len(values) != 1:
            raise Fault("form")
        attributes[name] = values[0]
    return attributes


def generalized_time(content):
    match = re.fullmatch(rb"([0-9]{14})(?:\.([0-9]*[1-9]))?Z", content)
    if not match:
        raise Fault("form")
    try:
        seconds = datetime.strptime(match[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise Fault("form") from error
    return seconds + timedelta(microseconds=int((match[2] or b"0").ljust(6, b"0")[:6]))


def check_stamp(data, digest, trust):
    """Result and code of a time stamp over a digest, and the time that it proves, None where it proves none."""
    try:
        token = Token(data)
        if token.imprint != digest:
            raise Fault("other")
        certificate = signed_by(token, trust)
        if not (trust and trust.authorities):
            return NOT_DONE, "stamp_no_authority", None
        if not is_for_stamps(certificate) or not leads_to(certificate, token.certificates, trust.authorities, token.time):
            raise Fault("untrusted")
    except Fault as fault:
        return FAILED, "stamp_" + fault.kind, None
    return PASSED, "time_proven", token.time


def signed_by(token, trust):
    """The certificate whose signature the token carries; a Fault of the signature where it does not hold."""
    try:
        attributes = read_attributes(token.attributes)
        certificate = stamp_certificate(token, attributes, trust)
        check_stamp_signature(token, attributes, certificate)
    except Fault as fault:
        raise Fault("signature") from fault
    return certificate


def stamp_certificate(token, attributes, trust):
    """The certificate that the signed attributes name by its digest."""
    hash_name, digest = named_certificate(attributes)
    for certificate in token.certificates + (trust.authorities if trust else []):
        der = certificate.public_bytes(serialization.Encoding.DER)
        if hashlib.new(hash_name, der).digest() == digest:
            return certificate
    raise Fault("form")


def named_certificate(attributes):
    """Hash and digest of the first certificate in SigningCertificateV2, or else in SigningCertificate."""
    name, default = OID_SIGNING_CERTIFICATE_V2, "sha256"
    if name not in attributes:
        name, default = OID_SIGNING_CERTIFICATE, "sha1"
    if name not in attributes:
        raise Fault("form")
    certificates = take(attributes[name].expect(SEQUENCE).children(), SEQUENCE).children()
    fields = take(certificates, SEQUENCE).children()
    if default == "sha256" and fields and fields[0].tag == SEQUENCE:
        hash_type = HASHES.get(algorithm(fields.pop(0)))
        if hash_type is None:
            raise Fault("form")
        default = hash_type.name
    return default, take(fields, OCTETS).content


def check_stamp_signature(token, attributes, certificate):
    if token.digest_hash is None:
        raise Fault("form")
    if OID_CONTENT_TYPE not in attributes or OID_MESSAGE_DIGEST not in attributes:
        raise Fault("form")
    if attributes[OID_CONTENT_TYPE].expect(OID).content != OID_TST_INFO:
        raise Fault("form")
    info_digest = hashlib.new(token.digest_hash.name, token.info).digest()
    if attributes[OID_MESSAGE_DIGEST].expect(OCTETS).content != info_digest:
        raise Fault("signature")
    key, name = certificate.public_key(), token.signature_algorithm
    if isinstance(key, rsa.RSAPublicKey):
        hash_type = token.digest_hash if name == OID_RSA else RSA_HASHES.get(name)
    else:
        hash_type = ECDSA_HASHES.get(name)
    if hash_type is None:
        raise Fault("form")
    if not signature_fits(key, token.signature, token.signed, hash_type()):
        raise Fault("signature")


def signature_fits(key, signature, data, hash_algorithm):
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), hash_algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(hash_algorithm))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def extension(certificate, kind):
    """An extension's value, None where the certificate has none."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def is_for_stamps(certificate):
    """Whether the certificate is for time stamping and nothing else."""
    try:
        usage = extension(certificate, x509.ExtendedKeyUsage)
    except ValueError:
        return False
    return usage is not None and list(usage) == [x509.oid.ExtendedKeyUsageOID.TIME_STAMPING]


def leads_to(certificate, between, authorities, time, depth=0):
    """Whether a chain of certificates, all valid at a time, leads to one of the authorities."""
    if not valid_at(certificate, time):
        return False
    if certificate in authorities:
        return True
    if depth > 8:
        return False
    return any(
        issued(issuer, certificate, depth) and leads_to(issuer, between, authorities, time, depth + 1)
        for issuer in authorities + between
    )


def valid_at(certificate, time):
    if hasattr(certificate, "not_valid_before_utc"):
        return certificate.not_valid_before_utc <= time <= certificate.not_valid_after_utc
    naive = time.replace(tzinfo=None)
    return certificate.not_valid_before <= naive <= certificate.not_valid_after


def issued(issuer, certificate, depth):
    """Whether `issuer` may issue certificates with `depth` others below it, and issued this one."""
    if issuer == certificate or issuer.subject != certificate.issuer:
        return False
    try:
        constraints = extension(issuer, x509.BasicConstraints)
        usage = extension(issuer, x509.KeyUsage)
        if not constraints or not constraints.ca or (usage and not usage.key_cert_sign):
            return False
        if constraints.path_length is not None and constraints.path_length < depth:
            return False
        hash_algorithm = certificate.signature_hash_algorithm
        if not isinstance(hash_algorithm, tuple(HASHES.values())):
            return False
        return signature_fits(
            issuer.public_key(), certificate.signature, certificate.tbs_certificate_bytes, hash_algorithm)
    except ValueError:
        return False
