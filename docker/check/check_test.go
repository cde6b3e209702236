package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocker checks what is there.
func TestDocker(t *testing.T) {
	if err := Docker(t.Context(), ".."); err != nil {
		t.Error(err)
	}
}

// TestFaultsAreFound breaks one line after the other.
func TestFaultsAreFound(t *testing.T) {
	for _, fault := range []struct{ file, from, to, says string }{
		{"compose.yaml", "read_only: true", "readonly: true", "readonly"},
		{"compose.yaml", "networks: [inside]", "networks: [insite]", "insite"},
		{"compose.yaml", "condition: service_healthy", "condition: service_well", "condition"},
		{"kubernetes/base/deployment.yaml", "readinessProbe:", "readynessProbe:", "readynessProbe"},
		{"kubernetes/base/deployment.yaml", "replicas: 2", "replicas: two", "replicas"},
		{"kubernetes/base/deployment.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"},
		{"kubernetes/base/deployment.yaml", "capabilities: { drop: [ALL] }", "capabilities: {}", "capabilities"},
		{"kubernetes/base/deployment.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "can be written"},
		{"kubernetes/base/settings.env", "VEIL_GRACE=10m", "VEIL_GRACE=12m", "is killed"},
		{"kubernetes/long-clips/kustomization.yaml", "VEIL_GRACE=47h", "VEIL_GRACE=48h", "is killed"},
		{"kubernetes/base/network.yaml", "policyTypes:", "policyType:", "policyType"},
		{"kubernetes/base/kustomization.yaml", "newTag: \"1\"", "newTag: latest", "no version"},
		{"kubernetes/long-clips/scaledjob.yaml", "maxReplicaCount: 20", "maxReplicas: 20", "maxReplicas"},
		{"kubernetes/long-clips/scaledjob.yaml", "runAsUser: 10001", "runAsUser: 0", "runAsUser"},
		{"kubernetes/long-clips/scaledjob.yaml", "restartPolicy: Never", "restartPolice: Never", "restartPolice"},
	} {
		docker := t.TempDir()
		for _, name := range []string{"compose.yaml", "compose", "kubernetes"} {
			if err := copyAll(filepath.Join("..", name), filepath.Join(docker, name)); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(docker, fault.file)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		broken := strings.Replace(string(whole), fault.from, fault.to, 1)
		if broken == string(whole) {
			t.Errorf("%s holds no %q", fault.file, fault.from)
		}
		if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Docker(t.Context(), docker); err == nil || !strings.Contains(err.Error(), fault.says) {
			t.Errorf("%s with %q: %v", fault.file, fault.to, err)
		}
	}
}

// copyAll copies a file or a folder.
func copyAll(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600)
}
