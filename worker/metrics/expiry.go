package metrics

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"regexp"
	"strings"
	"time"
)

// Certificate is a file that ends at some time: certificates that this worker shows or trusts, or its NATS credentials.
type Certificate struct{ Name, Path string }

// expiries reads when certificates end; a file that cannot be read has no figure.
func (m *Meters) expiries(certs []Certificate) {
	for _, c := range certs {
		b, err := os.ReadFile(c.Path)
		if err != nil {
			continue
		}
		if end := expiry(b); !end.IsZero() {
			m.expiry.WithLabelValues(c.Name).Set(float64(end.Unix()))
		}
	}
}

// keyUntil tells until when the signing key is good; a time that nobody knows has no figure.
func (m *Meters) keyUntil(until func() (time.Time, bool)) {
	if until == nil {
		return
	}
	if t, known := until(); known {
		m.keyExpiry.Set(float64(t.Unix()))
		_ = m.registry.Register(m.keyExpiry) // it may be there already
	} else {
		m.registry.Unregister(m.keyExpiry)
	}
}

// expiry is the first time at which anything in a file ends; zero where nothing does.
func expiry(b []byte) time.Time {
	var first earliest
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if x, err := x509.ParseCertificate(block.Bytes); err == nil {
			first.see(x.NotAfter)
		}
	}
	if token := userToken.FindSubmatch(b); token != nil {
		if end := tokenEnd(string(token[1])); !end.IsZero() {
			first.see(end)
		}
	}
	return first.Time
}

// userToken finds the user's token in NATS credentials.
var userToken = regexp.MustCompile(`-----BEGIN NATS USER JWT-----\s+(\S+)\s+-+END NATS USER JWT`)

// tokenEnd reads the exp claim of a JSON web token; zero where there is none. The signature is the server's business.
func tokenEnd(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Exp int64 `json:"exp"`
	}
	if json.Unmarshal(b, &claims) != nil || claims.Exp <= 0 {
		return time.Time{}
	}
	return time.Unix(claims.Exp, 0)
}
