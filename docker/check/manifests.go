package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	psa "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kubectl-validate/pkg/openapiclient"
	"sigs.k8s.io/kubectl-validate/pkg/validator"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// KEDA's definitions come with its module. The digest is the module's line in the checksum database.
const (
	kedaModule = "github.com/kedacore/keda/v2@v2.21.0"
	kedaSum    = "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps="
	kubernetes = "1.30" // the newest whose schemas kubectl-validate brings along
)

// validators hold manifests against schemas and profiles.
type validators struct {
	schemas *validator.Validator
	pods    policy.Evaluator
}

func newValidators(ctx context.Context) (*validators, error) {
	keda, err := download(ctx, kedaModule, kedaSum)
	if err != nil {
		return nil, err
	}
	schemas, err := validator.New(openapiclient.NewComposite(openapiclient.NewHardcodedBuiltins(kubernetes),
		openapiclient.NewLocalCRDFiles(os.DirFS(filepath.Join(keda, "config", "crd", "bases")))))
	if err != nil {
		return nil, fmt.Errorf("load schemas: %w", err)
	}
	pods, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		return nil, fmt.Errorf("load pod security: %w", err)
	}
	return &validators{schemas, pods}, nil
}

// download gives the folder of a module and holds it against its digest.
func download(ctx context.Context, module, sum string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	cmd.Dir = os.TempDir() // outside of any module
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var m struct{ Dir, Sum, Error string }
	if err := errors.Join(err, json.Unmarshal(out, &m)); err != nil {
		return "", fmt.Errorf("download %s: %w: %s", module, err, m.Error)
	}
	if m.Sum != sum {
		return "", fmt.Errorf("download %s: its digest is %s, expected %s", module, m.Sum, sum)
	}
	return m.Dir, nil
}

// overlay builds a folder with kustomize and checks everything that comes out.
func (v *validators) overlay(dir string) error {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	grace, err := graceOf(built)
	if err != nil {
		return err
	}
	for _, r := range built.Resources() {
		if err := v.resource(r, grace); err != nil {
			return fmt.Errorf("%s %s: %w", r.GetKind(), r.GetName(), err)
		}
	}
	return nil
}

// graceOf is how long a worker's clips may go on after the first signal, by its settings.
func graceOf(built resmap.ResMap) (time.Duration, error) {
	for _, r := range built.Resources() {
		if text, ok := r.GetDataMap()["VEIL_GRACE"]; ok && r.GetKind() == "ConfigMap" {
			return time.ParseDuration(text)
		}
	}
	return 0, errors.New("no setting VEIL_GRACE")
}

// resource holds one manifest against its schema, and the pods that it makes against the profile and against what veil asks for.
func (v *validators) resource(r *resource.Resource, grace time.Duration) error {
	text, err := r.AsYAML()
	if err != nil {
		return err
	}
	_, object, err := v.schemas.Parse(text)
	if err != nil {
		return err
	}
	if err := v.schemas.Validate(object); err != nil {
		return err
	}
	paths := map[string][]string{"Deployment": {"spec", "template"}, "StatefulSet": {"spec", "template"}, "Job": {"spec", "template"},
		"ScaledJob": {"spec", "jobTargetRef", "template"}}
	path, pods := paths[object.GetKind()]
	if !pods {
		return nil
	}
	var at any = object.Object
	for _, p := range path {
		m, ok := at.(map[string]any)
		if !ok {
			return fmt.Errorf("there is no %v", path)
		}
		at = m[p]
	}
	return v.template(at, grace)
}

// template reads a pod template strictly: a schema of KEDA's leaves most of it open.
func (v *validators) template(at any, grace time.Duration) error {
	raw, err := json.Marshal(at)
	if err != nil {
		return err
	}
	var t corev1.PodTemplateSpec
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&t); err != nil {
		return fmt.Errorf("template: %w", err)
	}
	restricted := psa.LevelVersion{Level: psa.LevelRestricted, Version: psa.LatestVersion()}
	for _, result := range v.pods.EvaluatePod(restricted, &t.ObjectMeta, &t.Spec) {
		if !result.Allowed {
			return fmt.Errorf("restricted: %s: %s", result.ForbiddenReason, result.ForbiddenDetail)
		}
	}
	return asked(t.Spec, grace)
}

// asked is what veil asks of a pod beyond the profile.
func asked(s corev1.PodSpec, grace time.Duration) error {
	if s.TerminationGracePeriodSeconds == nil || time.Duration(*s.TerminationGracePeriodSeconds)*time.Second < grace+time.Minute {
		return fmt.Errorf("it is killed before its clips had %s and a minute for their answers", grace)
	}
	if s.AutomountServiceAccountToken == nil || *s.AutomountServiceAccountToken {
		return errors.New("it gets a token of the cluster")
	}
	for _, c := range s.Containers {
		sc := c.SecurityContext
		if sc == nil || sc.ReadOnlyRootFilesystem == nil || !*sc.ReadOnlyRootFilesystem {
			return fmt.Errorf("the root of %s can be written", c.Name)
		}
		if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
			return fmt.Errorf("%s has no limit of memory, or asks for no CPU", c.Name)
		}
		if _, after, ok := bytes.Cut([]byte(c.Image), []byte(":")); !ok || string(after) == "latest" {
			return fmt.Errorf("the image of %s has no version", c.Name)
		}
	}
	return nil
}
