package connect

import (
	"cmp"
	"net/url"
	"os"
)

// Description is where queue and store are, as doctor prints it: secrets are named by where they come from, never by what
// they are.
type Description struct {
	Nats        string `json:"nats,omitempty"`
	Login       string `json:"nats_login,omitempty"`
	Store       string `json:"store,omitempty"`
	Endpoint    string `json:"s3_endpoint,omitempty"`
	Key         string `json:"s3_key,omitempty"`
	Token       string `json:"s3_token,omitempty"`
	Sources     string `json:"sources,omitempty"`
	SourceKey   string `json:"source_key,omitempty"`
	SourceToken string `json:"source_token,omitempty"`
	Encryption  string `json:"encryption,omitempty"`
}

// Describe describes flags and environment.
func Describe(f Flags) Description {
	c := Description{Nats: bare(f.Nats), Store: f.Store, Endpoint: bare(f.S3Endpoint), Encryption: f.Encryption,
		Sources: cmp.Or(f.SourceDir, bare(f.SourceEndpoint), bare(f.S3Endpoint))}
	switch {
	case f.NatsCreds != "":
		c.Login = "credentials of " + f.NatsCreds
	case f.NatsCert != "":
		c.Login = "certificate " + f.NatsCert
	case f.Nats != "":
		c.Login = "none"
	}
	c.Key = whence(f.S3KeyFile, "VEIL_S3_KEY")
	c.Token = whence(f.S3TokenFile, "VEIL_S3_TOKEN")
	c.SourceKey = whence(f.SourceKeyFile, "VEIL_SOURCE_KEY")
	c.SourceToken = whence(f.SourceTokenFile, "VEIL_SOURCE_TOKEN")
	return c
}

// whence says where a secret comes from; empty where there is none.
func whence(file, env string) string {
	if file != "" {
		return "file " + file
	}
	if os.Getenv(env) != "" {
		return "environment " + env
	}
	return ""
}

// bare is an address without whatever login stands in it.
func bare(address string) string {
	if address == "" {
		return ""
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "set" // could hold anything
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// Lines gives what is set, by name, for people.
func (c Description) Lines() (out [][2]string) {
	for _, l := range [][2]string{{"nats", c.Nats}, {"login", c.Login}, {"store", c.Store}, {"endpoint", c.Endpoint}, {"s3 key", c.Key}, {"s3 token", c.Token},
		{"sources", c.Sources}, {"source key", c.SourceKey}, {"source token", c.SourceToken}, {"encryption", c.Encryption}} {
		if l[1] != "" {
			out = append(out, l)
		}
	}
	return out
}
