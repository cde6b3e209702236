package connect

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestDoctorShowsNoSecrets: neither passwords in addresses, nor keys, nor what lies in files.
func TestDoctorShowsNoSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("canary-in-file"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VEIL_SOURCE_KEY", "canary-in-env")
	c := Describe(Flags{Nats: "nats://me:canary-password@127.0.0.1:4222?x=canary", NatsCreds: file, Store: "s3://veil",
		S3Endpoint: "https://canary:canary@127.0.0.1:9000", S3KeyFile: file, S3SecretFile: file, Encryption: "required"})
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("canary")) || !bytes.Contains(b, []byte("nats://127.0.0.1:4222")) || !bytes.Contains(b, []byte("VEIL_SOURCE_KEY")) {
		t.Errorf("%s", b)
	}
}
