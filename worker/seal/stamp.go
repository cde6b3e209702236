package seal

import (
	"bytes"
	"crypto"
	"crypto/rand"
	_ "crypto/sha1" // names certificates in older stamps (RFC 2634); no signature rests on it
	"crypto/sha256"
	_ "crypto/sha512" // for authorities that sign with it
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Errors of time stamps (RFC 3161).
var (
	// ErrStampForm says that the bytes are no granted time stamp response in DER.
	ErrStampForm = errors.New("is no time stamp that was granted")
	// ErrStampOther says that the time stamp is about other bytes.
	ErrStampOther = errors.New("is a time stamp of something else")
	// ErrStampSignature says that the time stamp was altered, or signed by a certificate that may not do so.
	ErrStampSignature = errors.New("is a time stamp whose signature does not hold")
	// ErrStampUntrusted says that no trusted authority stands behind the time stamp.
	ErrStampUntrusted = errors.New("is a time stamp of an authority that is not trusted")
)

// maxStamp bounds a response, in bytes.
const maxStamp = 1 << 20

var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTSTInfo       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningCert   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigningCertV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA384        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	oidSHA512        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
	oidRSA           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidRSASHA256     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidRSASHA384     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}
	oidRSASHA512     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}
	oidECDSASHA256   = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidECDSASHA384   = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
	oidECDSASHA512   = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}
)

type messageImprint struct {
	Algorithm pkix.AlgorithmIdentifier
	Hash      []byte
}

// StampRequest gives the bytes to send to a time stamp authority for an envelope's file, as application/timestamp-query.
func StampRequest(envelope []byte) ([]byte, error) {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, fmt.Errorf("make time stamp request: %w", err)
	}
	sum := sha256.Sum256(envelope)
	b, err := asn1.Marshal(struct {
		Version int
		Imprint messageImprint
		Nonce   *big.Int
		CertReq bool
	}{1, messageImprint{pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue}, sum[:]}, nonce, true})
	if err != nil {
		return nil, fmt.Errorf("make time stamp request: %w", err)
	}
	return b, nil
}

// CheckStamp reads an authority's response to a request for an envelope's file and gives the time that it proves: the envelope
// was there then. One of the authorities, or a certificate below one, must have signed it while its certificate was good.
func CheckStamp(response, envelope []byte, authorities []*x509.Certificate) (time.Time, error) {
	if len(response) > maxStamp {
		return time.Time{}, ErrStampForm
	}
	s, err := parseStamp(response)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrStampForm, err)
	}
	sum := sha256.Sum256(envelope)
	if !s.info.Imprint.Algorithm.Algorithm.Equal(oidSHA256) || !bytes.Equal(s.info.Imprint.Hash, sum[:]) {
		return time.Time{}, ErrStampOther
	}
	signer, err := s.checkSignature(authorities)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrStampSignature, err)
	}
	if err := s.checkChain(signer, authorities); err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrStampUntrusted, err)
	}
	return s.info.Time.UTC(), nil
}

// tstInfo is what the authority signs (RFC 3161, 2.4.2), as far as it is read.
type tstInfo struct {
	Version  int
	Policy   asn1.ObjectIdentifier
	Imprint  messageImprint
	Serial   *big.Int
	Time     time.Time `asn1:"generalized"`
	Accuracy struct {
		Seconds int `asn1:"optional"`
		Millis  int `asn1:"optional,tag:0"`
		Micros  int `asn1:"optional,tag:1"`
	} `asn1:"optional"`
	Ordering   bool          `asn1:"optional,default:false"`
	Nonce      *big.Int      `asn1:"optional"`
	TSA        asn1.RawValue `asn1:"optional,explicit,tag:0"`
	Extensions asn1.RawValue `asn1:"optional,tag:1"`
}

type signerInfo struct {
	Version    int
	SID        asn1.RawValue
	Digest     pkix.AlgorithmIdentifier
	Attributes asn1.RawValue `asn1:"tag:0"`
	Algorithm  pkix.AlgorithmIdentifier
	Signature  []byte
	Unsigned   asn1.RawValue `asn1:"optional,tag:1"`
}

type attribute struct {
	Type   asn1.ObjectIdentifier
	Values asn1.RawValue `asn1:"set"`
}

// stamp is a response that was taken apart.
type stamp struct {
	info         tstInfo
	infoBytes    []byte
	certificates []*x509.Certificate
	signer       signerInfo
}

// parseStamp takes a response apart: TimeStampResp, ContentInfo, SignedData with one signer, TSTInfo.
func parseStamp(b []byte) (*stamp, error) {
	var response struct {
		Status struct {
			Status int
			Text   asn1.RawValue  `asn1:"optional,tag:16,class:0"`
			Fail   asn1.BitString `asn1:"optional"`
		}
		Token struct {
			Type    asn1.ObjectIdentifier
			Content asn1.RawValue `asn1:"explicit,tag:0"`
		} `asn1:"optional"`
	}
	if err := whole(asn1.Unmarshal(b, &response)); err != nil {
		return nil, err
	}
	if response.Status.Status > 1 || !response.Token.Type.Equal(oidSignedData) {
		return nil, errors.New("the authority refused")
	}
	var data struct {
		Version int
		Digests asn1.RawValue `asn1:"set"`
		Content struct {
			Type  asn1.ObjectIdentifier
			Bytes []byte `asn1:"explicit,tag:0"`
		}
		Certificates asn1.RawValue `asn1:"optional,tag:0"`
		Revocations  asn1.RawValue `asn1:"optional,tag:1"`
		Signers      []signerInfo  `asn1:"set"`
	}
	if err := whole(asn1.Unmarshal(response.Token.Content.Bytes, &data)); err != nil {
		return nil, err
	}
	if !data.Content.Type.Equal(oidTSTInfo) || len(data.Signers) != 1 {
		return nil, errors.New("not one signer of one time")
	}
	s := &stamp{infoBytes: data.Content.Bytes, signer: data.Signers[0]}
	if err := whole(asn1.Unmarshal(s.infoBytes, &s.info)); err != nil {
		return nil, err
	}
	if s.info.Version != 1 || s.info.Time.IsZero() {
		return nil, errors.New("an unknown version")
	}
	var err error
	s.certificates, err = x509.ParseCertificates(data.Certificates.Bytes)
	return s, err
}

// whole refuses what follows a value.
func whole(rest []byte, err error) error {
	if err == nil && len(rest) > 0 {
		err = errors.New("something follows")
	}
	return err
}

// checkSignature finds the certificate that signed and follows the signature: over the attributes, which name the digest of the
// time and of the certificate.
func (s *stamp) checkSignature(more []*x509.Certificate) (*x509.Certificate, error) {
	var attributes []attribute
	set := bytes.Clone(s.signer.Attributes.FullBytes)
	if len(set) == 0 {
		return nil, errors.New("no attributes are signed")
	}
	set[0] = asn1.TagSet | 0x20 // as it was signed: SET OF, not [0]
	if err := whole(asn1.UnmarshalWithParams(set, &attributes, "set")); err != nil {
		return nil, err
	}
	hash, ok := hashOf(s.signer.Digest.Algorithm)
	if !ok {
		return nil, errors.New("an unknown digest")
	}
	h := hash.New()
	h.Write(s.infoBytes)
	var kind asn1.ObjectIdentifier
	var digest []byte
	if err := single(attributes, oidContentType, &kind); err != nil || !kind.Equal(oidTSTInfo) {
		return nil, errors.New("the content's type is not signed")
	}
	if err := single(attributes, oidMessageDigest, &digest); err != nil || !bytes.Equal(digest, h.Sum(nil)) {
		return nil, errors.New("the time is not the one that was signed")
	}
	signer, err := findSigner(attributes, append(append([]*x509.Certificate{}, s.certificates...), more...))
	if err != nil {
		return nil, err
	}
	algorithm, ok := s.algorithm(hash)
	if !ok {
		return nil, errors.New("an unknown signature algorithm")
	}
	return signer, signer.CheckSignature(algorithm, set, s.signer.Signature)
}

// single reads the one value of the one attribute of a type.
func single(list []attribute, kind asn1.ObjectIdentifier, v any) error {
	found := errors.New("missing")
	for _, a := range list {
		if !a.Type.Equal(kind) {
			continue
		}
		if found == nil {
			return errors.New("twice")
		}
		if found = whole(asn1.Unmarshal(a.Values.Bytes, v)); found != nil {
			return found
		}
	}
	return found
}

// findSigner is the certificate whose digest was signed (RFC 5035, or RFC 2634 with SHA-1).
func findSigner(attributes []attribute, list []*x509.Certificate) (*x509.Certificate, error) {
	var v2 struct {
		Certs []struct {
			Algorithm pkix.AlgorithmIdentifier `asn1:"optional"`
			Hash      []byte
			Issuer    asn1.RawValue `asn1:"optional"`
		}
		Policies asn1.RawValue `asn1:"optional"`
	}
	var v1 struct {
		Certs []struct {
			Hash   []byte
			Issuer asn1.RawValue `asn1:"optional"`
		}
		Policies asn1.RawValue `asn1:"optional"`
	}
	hash, want := crypto.SHA256, []byte(nil)
	switch {
	case single(attributes, oidSigningCertV2, &v2) == nil && len(v2.Certs) > 0:
		want = v2.Certs[0].Hash
		if oid := v2.Certs[0].Algorithm.Algorithm; len(oid) > 0 {
			var ok bool
			if hash, ok = hashOf(oid); !ok {
				return nil, errors.New("an unknown digest of the certificate")
			}
		}
	case single(attributes, oidSigningCert, &v1) == nil && len(v1.Certs) > 0:
		hash, want = crypto.SHA1, v1.Certs[0].Hash
	default:
		return nil, errors.New("the signing certificate is not named")
	}
	for _, c := range list {
		h := hash.New()
		h.Write(c.Raw)
		if bytes.Equal(h.Sum(nil), want) {
			return c, nil
		}
	}
	return nil, errors.New("the signing certificate is not there")
}

// checkChain follows the signer to a trusted authority, at the time that the stamp tells. The certificate must be for time
// stamps and for nothing else.
func (s *stamp) checkChain(signer *x509.Certificate, authorities []*x509.Certificate) error {
	if len(signer.ExtKeyUsage) != 1 || signer.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping || len(signer.UnknownExtKeyUsage) > 0 {
		return errors.New("the certificate is not for time stamps alone")
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range authorities {
		roots.AddCert(c)
	}
	for _, c := range s.certificates {
		between.AddCert(c)
	}
	_, err := signer.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: s.info.Time,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}})
	return err
}

func hashOf(oid asn1.ObjectIdentifier) (crypto.Hash, bool) {
	switch {
	case oid.Equal(oidSHA256):
		return crypto.SHA256, true
	case oid.Equal(oidSHA384):
		return crypto.SHA384, true
	case oid.Equal(oidSHA512):
		return crypto.SHA512, true
	}
	return 0, false
}

// algorithm is the signature's; plain RSA takes the digest that the signer names.
func (s *stamp) algorithm(hash crypto.Hash) (x509.SignatureAlgorithm, bool) {
	oid := s.signer.Algorithm.Algorithm
	for _, a := range []struct {
		oid  asn1.ObjectIdentifier
		hash crypto.Hash
		alg  x509.SignatureAlgorithm
	}{
		{oidRSA, crypto.SHA256, x509.SHA256WithRSA}, {oidRSA, crypto.SHA384, x509.SHA384WithRSA}, {oidRSA, crypto.SHA512, x509.SHA512WithRSA},
		{oidRSASHA256, crypto.SHA256, x509.SHA256WithRSA}, {oidRSASHA384, crypto.SHA384, x509.SHA384WithRSA},
		{oidRSASHA512, crypto.SHA512, x509.SHA512WithRSA}, {oidECDSASHA256, crypto.SHA256, x509.ECDSAWithSHA256},
		{oidECDSASHA384, crypto.SHA384, x509.ECDSAWithSHA384}, {oidECDSASHA512, crypto.SHA512, x509.ECDSAWithSHA512},
	} {
		if oid.Equal(a.oid) && hash == a.hash {
			return a.alg, true
		}
	}
	return 0, false
}
