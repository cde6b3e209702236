package intake

import (
	"context"
	"strings"

	"veil/pipeline"
	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/input"
	"veil/worker/jobs"
	"veil/worker/store"
)

// Found is a clip, or something that was met where clips were looked for.
type Found struct {
	input.Source        // a local file
	bucket       string // or an object
	object       store.Object
}

// Count counts what is to be handed in.
func Count(found []Found) (n int) {
	for _, f := range found {
		if f.Skip == "" {
			n++
		}
	}
	return n
}

// Find lists what the arguments name.
func Find(ctx context.Context, s *connect.Service, in []string) ([]Found, error) {
	var found []Found
	var local []string
	for _, arg := range in {
		rest, ok := strings.CutPrefix(arg, "s3://")
		if !ok {
			local = append(local, arg)
			continue
		}
		list, err := findObjects(ctx, s, rest)
		if err != nil {
			return nil, err
		}
		found = append(found, list...)
	}
	files, err := input.Gather(local, "")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		found = append(found, Found{Source: f})
	}
	if Count(found) == 0 {
		return nil, failure.Usagef("name clips, or a folder that holds some", "there is no clip to hand in")
	}
	return found, nil
}

// findObjects lists one object, or all below a key that ends in a slash.
func findObjects(ctx context.Context, s *connect.Service, address string) ([]Found, error) {
	bucket, key, _ := strings.Cut(address, "/")
	if bucket == "" {
		return nil, failure.Usagef("give s3://BUCKET/KEY", "an address names no bucket")
	}
	if key != "" && !strings.HasSuffix(key, "/") {
		o, err := s.Source.Stat(ctx, bucket, key, "")
		if err != nil {
			return nil, failure.OfJob("", err)
		}
		o.Key = key
		return []Found{{Source: input.Source{Label: key}, bucket: bucket, object: o}}, nil
	}
	var found []Found
	for o, err := range s.Source.List(ctx, bucket, key) {
		if err != nil {
			return nil, failure.OfJob("", err)
		}
		f := Found{Source: input.Source{Label: o.Key}, bucket: bucket, object: o}
		if !input.IsVideo(o.Key) {
			f.Skip = "no video by its name"
		}
		found = append(found, f)
	}
	return found, nil
}

// Clip makes the job of what was found.
func (f Found) Clip(ctx context.Context, s *connect.Service, template jobs.Job, events func(pipeline.Event)) (Clip, error) {
	if f.Err != nil {
		return Clip{}, f.Err
	}
	if f.bucket == "" {
		return LocalClip(ctx, f.Path, template, events)
	}
	if f.object.Version == "" {
		// A list tells no versions.
		o, err := s.Source.Stat(ctx, f.bucket, f.object.Key, "")
		if err != nil {
			return Clip{}, err
		}
		o.Key = f.object.Key
		return BucketClip(template, f.bucket, o)
	}
	return BucketClip(template, f.bucket, f.object)
}
