package evidence

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"veil/worker/seal"
)

// Bounds of the files of a set, in bytes.
const (
	maxReport    = 256 << 20
	maxPlan      = 1 << 30
	maxLog       = 64 << 20
	maxAnnex     = 1 << 20
	maxStamp     = 1 << 20
	maxStatement = 1 << 20
)

// Pictures decodes. Whoever calls Verify chooses how, and how confined.
type Pictures interface {
	// Frames decodes a derivative, whose samples should have a pixel format of ffmpeg's, and names its frames as the manifest
	// does. ErrNoDecoder where there is nothing to decode with.
	Frames(ctx context.Context, out, pixelFormat string) (seal.Frames, error)
	// Compare holds a derivative's pictures against its original and its plan. It is called only with an original and a plan
	// whose digests are those of the manifest. ErrNoDecoder as above, ErrNotHere, and *NotReady.
	Compare(ctx context.Context, out, original, plan string) ([]Finding, error)
}

// Finding is what Compare says of one thing that it looked at.
type Finding struct {
	Name   string // "streams", "frames", "time_stamps", "masks_hold_fill", "untouched_area", "faces"
	Passed bool
	Text   string
}

// FacesOutside is the name of a finding that a detector made: a face outside every mask.
const FacesOutside = "faces_outside"

// ErrNoDecoder says that pictures cannot be decoded here; what is wrapped around it says what is missing.
var ErrNoDecoder = errors.New("no decoder")

// ErrNotHere says that whoever decodes cannot compare a derivative with its original.
var ErrNotHere = errors.New("cannot compare with an original")

// NotReady says that pictures cannot be compared because something is missing on this machine.
type NotReady struct {
	Detail string // what is missing, and what to do about it
}

// Error gives the detail.
func (e *NotReady) Error() string { return e.Detail }

// Request says what is to be checked and what is handed over for it.
type Request struct {
	Out      string // the derivative
	Set      string // folder of its set; empty: the derivative's own
	Original string // empty: not handed over
	Plan     string // empty: the one of the set, if it is there
	Trust    *seal.Trust
	Pictures Pictures
	Language string // "en" or "de"
}

// Verify checks a derivative with all that is handed over. Its error says that nothing could be checked: the derivative cannot
// be read, or has no set (ErrNoSet).
func Verify(ctx context.Context, r Request) (*Result, error) {
	v := &verifier{request: r, result: &Result{Schema: ResultSchema, Language: r.Language, File: filepath.Base(r.Out), Checks: []Check{}, Notes: []Note{}}}
	var err error
	if v.digest, v.bytes, err = digestFile(r.Out); err != nil {
		return nil, fmt.Errorf("read derivative: %w", err)
	}
	v.result.SHA256 = v.digest
	folder := r.Set
	if folder == "" {
		folder = filepath.Dir(r.Out)
	}
	if v.stem, err = findSet(Stem(r.Out), folder, v.digest); err != nil {
		return nil, err
	}
	v.result.stem = v.stem
	if v.open() {
		v.checkSignature()
		v.checkDerivative(ctx)
		v.checkContainer()
		v.checkPieces()
		v.checkOriginal(ctx)
		v.checkStatements()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v.result.conclude()
	return v.result, nil
}

// verifier is one check under way.
type verifier struct {
	request Request
	result  *Result
	digest  string // of the derivative as it is
	bytes   int64
	stem    string

	raw      []byte // the manifest's file
	envelope seal.Envelope
	manifest seal.Manifest
	planGood string // path of a plan that is the manifest's; empty: none
}

// open reads the envelope and the manifest in it. Where that fails, nothing else can be checked.
func (v *verifier) open() bool {
	b, err := readFile(v.stem+ManifestEnding, seal.MaxEnvelope)
	if err != nil {
		return v.closed("envelope_unreadable")
	}
	v.raw = b
	v.result.Manifest = seal.Digest(b)
	e, err := seal.OpenEnvelope(b)
	if err != nil && !errors.Is(err, seal.ErrUnsigned) {
		return v.closed("envelope_" + formCode(err))
	}
	v.envelope = e
	vouched := v.checkKey()
	if !vouched && len(e.Payload) > maxUnvouched {
		return v.unread()
	}
	if v.manifest, err = seal.ParseManifest(e.Payload); err != nil {
		return v.closed("manifest_" + formCode(err))
	}
	v.result.add(CheckEnvelope, Passed, "envelope_ok", nil)
	claimed := v.manifest.Times.Sealed
	v.result.Claimed = &claimed
	return true
}

// maxUnvouched bounds a payload that is parsed though no trusted key has signed it, in bytes: some 400,000 frames. A test lowers it.
var maxUnvouched = 32 << 20

// checkKey looks whether a trusted key has signed the payload's bytes, before anything in them is read. Who altered the content left
// the signature as it was: that is the first thing to say.
func (v *verifier) checkKey() bool {
	if !v.envelope.Signed() {
		return false
	}
	v.result.Key = &Signer{Fingerprint: v.envelope.KeyID}
	k := v.known()
	if k == nil {
		return false
	}
	if v.envelope.Check(k.Public) != nil {
		v.result.Verdict = string(seal.BadSignature)
		v.result.add(CheckSignature, Failed, string(seal.BadSignature), map[string]string{"key": v.envelope.KeyID})
		return false
	}
	v.result.Key.Signed = true
	return true
}

// unread notes that a manifest is too large to be read for nobody's word.
func (v *verifier) unread() bool {
	v.result.add(CheckEnvelope, NotDone, "manifest_large", nil)
	switch {
	case v.request.Trust == nil || v.result.Find(CheckSignature) != nil:
	case !v.envelope.Signed():
		v.result.Verdict = string(seal.NotSigned)
		v.result.add(CheckSignature, Failed, string(seal.NotSigned), nil)
	default:
		v.result.Verdict = string(seal.UnknownKey)
		v.result.add(CheckSignature, Failed, string(seal.UnknownKey), map[string]string{"key": v.envelope.KeyID})
	}
	return v.nothingElse()
}

// closed notes that the envelope cannot be read, and with it nothing else.
func (v *verifier) closed(code string) bool {
	v.result.add(CheckEnvelope, Failed, code, nil)
	return v.nothingElse()
}

// nothingElse notes what is not looked at without a manifest.
func (v *verifier) nothingElse() bool {
	for _, name := range []string{CheckSignature, CheckDerivative, CheckFrames, CheckReport, CheckPlan, CheckLog, CheckAnnex, CheckOriginal} {
		if v.result.Find(name) == nil {
			v.result.add(name, NotDone, "no_manifest", nil)
		}
	}
	return false
}

// formCode names why a document was not accepted.
func formCode(err error) string {
	for _, c := range []struct {
		err  error
		code string
	}{
		{seal.ErrNotJSON, "not_json"}, {seal.ErrNotCanonical, "not_canonical"}, {seal.ErrFields, "fields"}, {seal.ErrBase64, "base64"},
		{seal.ErrPayloadType, "type"}, {seal.ErrType, "type"}, {seal.ErrSignatures, "signatures"}, {seal.ErrSignature, "signature_form"},
	} {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return "content"
}

// known is the trusted key that the envelope names; nil where there is none.
func (v *verifier) known() *seal.TrustedKey {
	if v.request.Trust == nil {
		return nil
	}
	for i, k := range v.request.Trust.Keys {
		if seal.KeyID(k.Public) == v.envelope.KeyID {
			return &v.request.Trust.Keys[i]
		}
	}
	return nil
}

// checkSignature judges the signature, with the time stamp where there is one.
func (v *verifier) checkSignature() {
	stamp := v.checkStamp()
	args := map[string]string{"key": v.envelope.KeyID, "claimed": moment(v.manifest.Times.Sealed)}
	if !stamp.IsZero() {
		args["proven"] = moment(stamp)
	}
	if v.result.Find(CheckSignature) != nil {
		return // it was bad to begin with
	}
	switch {
	case !v.envelope.Signed():
		v.result.Verdict = string(seal.NotSigned)
		result := Failed
		if v.request.Trust == nil {
			result = NotDone // nobody's word was asked for
		}
		v.result.add(CheckSignature, result, string(seal.NotSigned), nil)
		return
	case v.request.Trust == nil:
		v.result.add(CheckSignature, NotDone, "no_trust", args)
		return
	}
	verdict, key := v.request.Trust.Judge(v.envelope, v.manifest.Times.Sealed, stamp)
	if key != nil {
		v.result.Key.Name = key.Name
		args["compromised"], args["from"], args["until"] = bound(key.Compromised), bound(key.From), bound(key.Until)
	}
	v.result.Verdict = string(verdict)
	if c := v.result.Find(CheckTime); verdict == seal.Unproven && !stamp.IsZero() && c != nil {
		// The stamp proves that the signature was there then, not that the key was still good when it was made.
		c.Result, c.Code = NotDone, "stamp_late"
		c.Args["claimed"] = args["claimed"]
		c.Text = words(v.result.Language, c.Code, c.Args)
	}
	result := Failed
	if verdict.Stands() {
		result = Passed
	}
	v.result.add(CheckSignature, result, string(verdict), args)
}

// checkStamp gives the time that a time stamp proves; zero where there is none that does.
func (v *verifier) checkStamp() time.Time {
	response, err := readFile(v.stem+StampEnding, maxStamp)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		v.result.add(CheckTime, Failed, "stamp_unreadable", nil)
		return time.Time{}
	}
	if err != nil {
		v.result.add(CheckTime, NotDone, "time_unproven", map[string]string{"claimed": moment(v.manifest.Times.Sealed)})
		return time.Time{}
	}
	trust := seal.Trust{}
	if v.request.Trust != nil {
		trust = *v.request.Trust
	}
	at, err := seal.CheckStamp(response, v.raw, trust.Authorities)
	switch {
	case errors.Is(err, seal.ErrStampUntrusted) && len(trust.Authorities) == 0:
		v.result.add(CheckTime, NotDone, "stamp_no_authority", nil)
	case errors.Is(err, seal.ErrStampUntrusted):
		v.result.add(CheckTime, Failed, "stamp_untrusted", nil)
	case errors.Is(err, seal.ErrStampOther):
		v.result.add(CheckTime, Failed, "stamp_other", nil)
	case errors.Is(err, seal.ErrStampSignature):
		v.result.add(CheckTime, Failed, "stamp_signature", nil)
	case err != nil:
		v.result.add(CheckTime, Failed, "stamp_form", nil)
	default:
		v.result.Proven = &at
		v.result.add(CheckTime, Passed, "time_proven", map[string]string{"proven": moment(at)})
		return at
	}
	return time.Time{}
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func bound(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return moment(t)
}

func number(n int) string { return strconv.Itoa(n) }
