package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"veil/worker/jobs/embedded"
	"veil/worker/store/servers"
)

// readClips lets an account read the clips and nothing else.
const readClips = `{"Version": "2012-10-17", "Statement": [
	{"Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": "arn:aws:s3:::footage/*"},
	{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": "arn:aws:s3:::footage"}]}`

// TestWorkerOnMinIO takes a clip through a worker whose store is a MinIO server over TLS that encrypts, with versions kept. The
// clips are read with temporary keys that may only read, and their session token.
func TestWorkerOnMinIO(t *testing.T) {
	p := newPlace(t)
	srv := servers.MinIO(t, servers.Options{TLS: true, KMS: true})
	srv.MakeBucket("footage", true)
	srv.MakeBucket("evidence", true)
	queue, err := embedded.Start(embedded.Options{Dir: p.path("queue"), Lazy: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(queue.Close)
	keys := srv.Account("footage", readClips)
	if keys.Token == "" {
		t.Fatal("the temporary keys have no session token: the test would try nothing")
	}
	flags := []string{"--nats", queue.URL(), "--store", "s3://evidence", "--s3-endpoint", srv.Endpoint, "--s3-ca", srv.CAFile}
	for flag, secret := range map[string]string{"--s3-key-file": srv.AccessKey, "--s3-secret-file": srv.SecretKey,
		"--source-key-file": keys.Access, "--source-secret-file": keys.Secret, "--source-token-file": keys.Token} {
		path := p.path("secret" + flag)
		write(t, path, []byte(secret+"\n"))
		flags = append(flags, flag, path)
	}
	veil := func(args ...string) result { return p.must(t, 0, append(args, flags...)...) }

	clip := p.path("clip.mp4")
	simpleClip(t, clip, 30, oneFace)
	put, err := srv.Client().FPutObject(t.Context(), "footage", "cam/clip.mp4", clip, minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	veil("setup")
	veil("submit", "s3://footage/cam/clip.mp4", "--id", "object", "--policy", "press")
	veil("submit", clip, "--id", "file", "--policy", "press")
	veil("worker", "--once", "--slots", "1", "--reserve", "16", "--allow", "footage/cam", "--sandbox", "required", "--encryption", "required")
	for _, id := range []string{"object", "file"} {
		out := p.path("out-" + id)
		veil("get", id, "-o", out, "--evidence")
		found, err := filepath.Glob(filepath.Join(out, "*.mp4"))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v %v", id, found, err)
		}
		plan := strings.TrimSuffix(found[0], ".mp4") + ".plan.json"
		p.must(t, exitPartial, "verify", found[0], "--original", clip, "--plan", plan) // nobody signed it
	}
	after, err := srv.Client().StatObject(t.Context(), "footage", "cam/clip.mp4", minio.StatObjectOptions{})
	if err != nil || after.VersionID != put.VersionID || after.ETag != put.ETag {
		t.Errorf("the original was touched: %+v, %v", after, err)
	}
	released := 0
	for o := range srv.Client().Client.ListObjects(t.Context(), "evidence", minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		stat, err := srv.Client().StatObject(t.Context(), "evidence", o.Key, minio.StatObjectOptions{})
		if err != nil || stat.Metadata.Get("X-Amz-Server-Side-Encryption") != "AES256" {
			t.Errorf("%s is not encrypted: %v", o.Key, err)
		}
		if strings.HasPrefix(o.Key, "release/") && strings.HasSuffix(o.Key, ".mp4") {
			released++
		}
	}
	if released != 2 {
		t.Errorf("%d derivatives were released", released)
	}
	p.clean(t)
}
