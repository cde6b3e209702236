package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// What a server says about when it syncs its files to disk.
const (
	SyncAlways   = "always"
	SyncInterval = "interval"
	SyncUnknown  = "unknown"
)

const maxVarzBytes = 4 << 20

// syncMode asks the server's monitoring port. A client's connection is not told.
func syncMode(ctx context.Context, monitor string) (string, error) {
	if monitor == "" {
		return SyncUnknown, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(monitor, "/")+"/varz", nil)
	if err != nil {
		return "", fmt.Errorf("ask monitoring port: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask monitoring port: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("ask monitoring port: %s", resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxVarzBytes))
	if err != nil {
		return "", fmt.Errorf("read monitoring port: %w", err)
	}
	return syncOf(data)
}

// syncOf reads a server's varz document.
func syncOf(varz []byte) (string, error) {
	var v struct {
		JetStream struct {
			Config *struct {
				SyncAlways bool `json:"sync_always"`
			} `json:"config"`
		} `json:"jetstream"`
	}
	if err := json.Unmarshal(varz, &v); err != nil {
		return "", fmt.Errorf("read monitoring port: %w", err)
	}
	switch {
	case v.JetStream.Config == nil:
		return SyncUnknown, nil
	case v.JetStream.Config.SyncAlways:
		return SyncAlways, nil
	}
	return SyncInterval, nil
}
