package seal_test

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"veil/worker/seal"
	"veil/worker/seal/sealtest"
)

// Moments of a key's life: good from 2023-05 to 2025-05.
var (
	from    = time.Date(2023, 5, 1, 0, 0, 0, 0, time.UTC)
	signed  = from.AddDate(0, 6, 0)
	until   = from.AddDate(2, 0, 0)
	theft   = from.AddDate(1, 0, 0)
	day     = 24 * time.Hour
	never   = time.Time{}
	digest1 = seal.Digest([]byte("derivative"))
)

// statement is a small signed envelope.
func statement(t *testing.T, k *seal.Key) []byte {
	t.Helper()
	b, err := seal.SealEvent(digest1, seal.Event{Kind: seal.Release, Manifest: digest1, Seq: 1, Predecessor: digest1, Time: signed, Annex: digest1}, k)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestJudge(t *testing.T) {
	k := sealtest.Key(t, 1)
	e, err := seal.OpenEnvelope(statement(t, k))
	if err != nil {
		t.Fatal(err)
	}
	limited := seal.TrustedKey{Public: k.Public(), From: from, Until: until}
	stolen := limited
	stolen.Compromised = theft
	boundless := seal.TrustedKey{Public: k.Public()}
	tests := []struct {
		name           string
		key            seal.TrustedKey
		claimed, stamp time.Time
		want           seal.Verdict
	}{
		{"expired by now, stamped while good", limited, signed, signed.Add(time.Minute), seal.Proven},
		{"expired by now, no stamp", limited, signed, never, seal.Unproven},
		{"stamped after its end", limited, signed, until.Add(day), seal.Unproven},
		{"claims to be from before", limited, from.Add(-day), never, seal.OutsideValidity},
		{"claims to be from after", limited, until, never, seal.OutsideValidity},
		{"stamped before the key was good", limited, from, from.Add(-time.Minute), seal.StampTooEarly},
		{"stamped long before it says", limited, signed, signed.Add(-day), seal.ClaimDisproved},
		{"a clock a little ahead", limited, signed, signed.Add(-time.Minute), seal.Proven},
		{"stolen later, stamped before", stolen, signed, theft.Add(-day), seal.Proven},
		{"stolen later, stamped after", stolen, signed, theft.Add(day), seal.Compromised},
		{"stolen later, stamped at that moment", stolen, signed, theft, seal.Compromised},
		{"stolen later, no stamp", stolen, signed, never, seal.Compromised},
		{"stolen before it was signed", stolen, theft.Add(day), theft.Add(2 * day), seal.Compromised},
		{"without bounds", boundless, signed, never, seal.Unproven},
		{"without bounds, stamped", boundless, signed, signed.Add(day), seal.Proven},
		{"another key", seal.TrustedKey{Public: sealtest.Key(t, 2).Public()}, signed, signed, seal.UnknownKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := seal.Trust{Keys: []seal.TrustedKey{tt.key}}.Judge(e, tt.claimed, tt.stamp)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	e.Payload = append(e.Payload, ' ')
	if got, _ := (seal.Trust{Keys: []seal.TrustedKey{boundless}}).Judge(e, signed, signed); got != seal.BadSignature {
		t.Errorf("an altered payload: %s", got)
	}
}

func TestParseTrust(t *testing.T) {
	k := sealtest.Key(t, 1)
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := base64.StdEncoding.EncodeToString(der)
	key := fmt.Sprintf(`{"name":"Press office","public":%q,"from":"2023-05-01T00:00:00Z","until":"2025-05-01T00:00:00+02:00","compromised_since":"2024-05-01T00:00:00Z"}`, public)
	good := `{"schema":"veil.trust/1", "keys":[` + key + `]}`
	trust, err := seal.ParseTrust([]byte(good))
	if err != nil || len(trust.Keys) != 1 {
		t.Fatalf("%+v, %v", trust, err)
	}
	if got := trust.Keys[0]; got.Name != "Press office" || !got.From.Equal(from) || !got.Until.Equal(until.Add(-2*time.Hour)) || !got.Compromised.Equal(theft) {
		t.Errorf("%+v", got)
	}
	for name, bad := range map[string]string{
		"nobody":          `{"schema":"veil.trust/1","keys":[]}`,
		"another version": strings.Replace(good, "/1", "/2", 1),
		"a misspelt date": strings.Replace(good, "compromised_since", "compromised", 1),
		"twice":           `{"schema":"veil.trust/1","keys":[` + key + `,` + key + `]}`,
		"ends first":      strings.Replace(good, "2025", "2022", 1),
		"no key":          strings.Replace(good, public, "AAAA", 1),
		"something else":  "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"rest":            good + "{}",
	} {
		if _, err := seal.ParseTrust([]byte(bad)); !errors.Is(err, seal.ErrTrust) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStamp(t *testing.T) {
	b := statement(t, sealtest.Key(t, 1))
	now := time.Now()
	a := sealtest.NewAuthority(t, now.AddDate(-5, 0, 0), now.AddDate(1, 0, 0))
	stranger := sealtest.NewAuthority(t, now.AddDate(-5, 0, 0), now.AddDate(1, 0, 0))
	trusted := []*x509.Certificate{a.Root}
	request, err := seal.StampRequest(b)
	if err != nil {
		t.Fatal(err)
	}
	answer := a.Answer(t, request)
	got, err := seal.CheckStamp(answer, b, trusted)
	if err != nil || got.Before(now.Add(-time.Minute)) || got.After(now.Add(time.Minute)) {
		t.Errorf("openssl ts: %v, %v", got, err)
	}
	if got, err := seal.CheckStamp(a.Stamp(t, b, signed), b, trusted); err != nil || !got.Equal(signed) {
		t.Errorf("three years ago: %v, %v", got, err)
	}
	tests := []struct {
		name     string
		response []byte
		envelope []byte
		trusted  []*x509.Certificate
		want     error
	}{
		{"of something else", answer, append([]byte("x"), b...), trusted, seal.ErrStampOther},
		{"of a stranger", stranger.Answer(t, request), b, trusted, seal.ErrStampUntrusted},
		{"nobody is trusted", answer, b, nil, seal.ErrStampUntrusted},
		{"from when its certificate was not good", a.Stamp(t, b, now.AddDate(-6, 0, 0)), b, trusted, seal.ErrStampUntrusted},
		{"cut", answer[:len(answer)-1], b, trusted, seal.ErrStampForm},
		{"something behind it", append(append([]byte{}, answer...), 0), b, trusted, seal.ErrStampForm},
		{"empty", nil, b, trusted, seal.ErrStampForm},
		{"the request itself", request, b, trusted, seal.ErrStampForm},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := seal.CheckStamp(tt.response, tt.envelope, tt.trusted); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	// No change of one byte proves another time.
	for i := range answer {
		spoilt := append([]byte{}, answer...)
		spoilt[i] ^= 0x04
		if at, err := seal.CheckStamp(spoilt, b, trusted); err == nil && !at.Equal(got) {
			t.Errorf("byte %d: %s", i, at)
		}
	}
}
