package seal

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// peer lets another implementation of DSSE check with our key.
type peer struct{ public ed25519.PublicKey }

func (p peer) Verify(_ context.Context, data, sig []byte) error {
	if !ed25519.Verify(p.public, data, sig) {
		return errors.New("bad")
	}
	return nil
}
func (p peer) KeyID() (string, error)   { return KeyID(p.public), nil }
func (p peer) Public() crypto.PublicKey { return p.public }

// TestEnvelopeAgreesWithPeer: what is signed here is accepted by another implementation of DSSE.
func TestEnvelopeAgreesWithPeer(t *testing.T) {
	k := testKey(t, 1)
	b := mustSeal(t, sampleManifest(), k)
	var e dsse.Envelope
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatal(err)
	}
	v, err := dsse.NewEnvelopeVerifier(peer{k.Public()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), &e); err != nil {
		t.Error(err)
	}
}

// TestEveryBitOfAnEnvelopeCounts flips each bit, one at a time: none is accepted.
func TestEveryBitOfAnEnvelopeCounts(t *testing.T) {
	k := testKey(t, 1)
	e := Event{Kind: Release, Manifest: digestOf("m"), Seq: 1, Predecessor: digestOf("m"), Time: t0, Annex: digestOf("a")}
	good, err := SealEvent(digestOf("d"), e, k)
	if err != nil {
		t.Fatal(err)
	}
	accepted := func(b []byte) bool {
		e, err := OpenEnvelope(b)
		return err == nil && e.Check(k.Public()) == nil
	}
	if !accepted(good) {
		t.Fatal("the envelope itself is refused")
	}
	for i := range good {
		for bit := range 8 {
			b := append([]byte{}, good...)
			b[i] ^= 1 << bit
			if accepted(b) {
				t.Errorf("byte %d, bit %d", i, bit)
			}
		}
	}
}

func TestEnvelopeFaults(t *testing.T) {
	k := testKey(t, 1)
	good := string(mustSeal(t, sampleManifest(), k))
	id := k.ID()
	tests := []struct {
		name, old, new string
		want           error
	}{
		{"untouched", "", "", nil},
		{"a second signature", `[{"keyid"`, `[{"keyid":"` + id + `","sig":"AA=="},{"keyid"`, ErrSignatures},
		{"no signature", good[strings.Index(good, `"signatures":[`)+14 : len(good)-2], "", ErrUnsigned},
		{"a further field", `"signatures"`, `"seal":"x","signatures"`, ErrFields},
		{"another type", "vnd.in-toto+json", "vnd.other", ErrPayloadType},
		{"line break", "}]}", "}]}\n", ErrNotCanonical},
		{"base64 without its end", `=="}]}`, `"}]}`, ErrBase64},
		{"base64 for the web", `"payload":"ey`, `"payload":"e-`, ErrBase64},
		{"another key's name", id, testKey(t, 2).ID(), ErrSignature},
		{"no key's name", id, "", ErrContent},
		{"a longer signature", `"sig":"`, `"sig":"AAAA`, ErrSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := strings.Replace(good, tt.old, tt.new, 1)
			if b == good && tt.want != nil {
				t.Fatal("nothing was changed")
			}
			e, err := OpenEnvelope([]byte(b))
			if err == nil {
				err = e.Check(k.Public())
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestManifestComesBack(t *testing.T) {
	want := sampleManifest()
	e, err := OpenEnvelope(mustSeal(t, want, testKey(t, 1)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseManifest(e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := Canonical(got)
	b, _ := Canonical(want)
	if string(a) != string(b) {
		t.Errorf("got  %s\nwant %s", a, b)
	}
	if _, _, err := ParseEvent(e.Payload); !errors.Is(err, ErrType) {
		t.Errorf("a manifest was read as a later statement: %v", err)
	}
}

func TestManifestRefusesNonsense(t *testing.T) {
	for name, spoil := range map[string]func(*Manifest){
		"outcome":        func(m *Manifest) { m.Outcome = "perhaps" },
		"digest":         func(m *Manifest) { m.Original.SHA256 = strings.ToUpper(m.Original.SHA256) },
		"fewer stamps":   func(m *Manifest) { m.Derivative.Frames.PTS = m.Derivative.Frames.PTS[1:] },
		"stamps fall":    func(m *Manifest) { m.Derivative.Frames.PTS[2] = 0 },
		"frames":         func(m *Manifest) { m.Redaction.Frames++ },
		"fraction":       func(m *Manifest) { m.Redaction.Masked = "0.10" },
		"ends first":     func(m *Manifest) { m.Times.Ended = m.Times.Started.Add(-1e9) },
		"half seconds":   func(m *Manifest) { m.Times.Sealed = m.Times.Sealed.Add(5e8) },
		"concealed":      func(m *Manifest) { m.Concealed.Frames = 3 },
		"spans overlap":  func(m *Manifest) { m.Concealed.Spans[1] = [2]int{1, 1} },
		"beyond the end": func(m *Manifest) { m.Concealed.Spans[1] = [2]int{5, 5} },
	} {
		m := sampleManifest()
		spoil(&m)
		if _, err := SealManifest(m, testKey(t, 1)); !errors.Is(err, ErrContent) {
			t.Errorf("%s: %v", name, err)
		}
		b, err := Canonical(about(m.Derivative.SHA256, ManifestType, m))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseManifest(b); !errors.Is(err, ErrContent) {
			t.Errorf("%s: read with %v", name, err)
		}
	}
}

func TestKeyFiles(t *testing.T) {
	k := testKey(t, 7)
	b, err := k.EncodePrivate()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseKey(b)
	if err != nil || again.ID() != k.ID() {
		t.Fatalf("%v, %v", again, err)
	}
	public, err := k.EncodePublic()
	if err != nil {
		t.Fatal(err)
	}
	trust, err := ParseTrust(public)
	if err != nil || len(trust.Keys) != 1 || KeyID(trust.Keys[0].Public) != k.ID() {
		t.Errorf("%+v, %v", trust, err)
	}
	for _, bad := range [][]byte{nil, public, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")} {
		if _, err := ParseKey(bad); !errors.Is(err, ErrKey) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
