package pipeline

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// playerPage plays each clip to its end and posts what happened to /done.
const playerPage = `<!doctype html><body><script>
const names = %s, results = {};
async function play(name) {
  const v = document.createElement("video");
  v.muted = true; v.src = "/" + name; v.playbackRate = 4;
  document.body.append(v);
  results[name] = await new Promise(done => {
    const end = () => done("ended " + v.videoWidth + "x" + v.videoHeight);
    v.onended = end;
    v.onerror = () => done("error: " + (v.error ? v.error.message : "unknown"));
    setTimeout(() => done("stuck at " + v.currentTime), 20000);
    v.play().catch(e => done("refused: " + e));
  });
  v.remove();
}
(async () => {
  for (const n of names) await play(n);
  await fetch("/done", {method: "POST", body: JSON.stringify(results)});
})();
</script>`

// playInBrowser plays the files of a folder in headless Chromium and fails for each that does not play to its end.
func playInBrowser(t *testing.T, folder string, names []string) {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: docker/install.sh test")
	}
	list, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan map[string]string, 1)
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(folder)))
	mux.HandleFunc("/player", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, playerPage, list)
	})
	mux.HandleFunc("/done", func(_ http.ResponseWriter, r *http.Request) {
		var results map[string]string
		if json.NewDecoder(r.Body).Decode(&results) == nil {
			done <- results
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	profile, err := os.MkdirTemp("", "veil-browser-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
		"--disable-dev-shm-usage", "--user-data-dir="+profile, "--remote-debugging-port=0", server.URL+"/player")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its helpers too
		_ = cmd.Wait()
		_ = os.RemoveAll(profile) // a helper that is still dying may put a file back: no fault of what is tested
	}()
	select {
	case results := <-done:
		for _, n := range names {
			if !strings.HasPrefix(results[n], "ended ") {
				t.Errorf("%s does not play: %s", n, results[n])
			}
		}
	case <-time.After(3 * time.Minute):
		t.Fatal("the browser did not finish")
	}
}
