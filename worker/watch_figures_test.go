package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"veil/worker/jobs"
	"veil/worker/metrics"
	"veil/worker/seal/sealtest"
)

// watchFolder holds the alert rules and the dashboard.
var watchFolder = filepath.Join("..", "docker", "watch")

// prometheusTool is a program of Prometheus, which docker/watch/prometheus.sh brings.
func prometheusTool(t *testing.T, name string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cache, "veil", "bin", name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: run docker/watch/prometheus.sh", name)
	}
	t.Skipf("%s is missing: docker/watch/prometheus.sh brings it", name)
	return ""
}

// TestAlertRules runs promtool's own tests of the rules, and wants one for each alert.
func TestAlertRules(t *testing.T) {
	promtool := prometheusTool(t, "promtool")
	tests := []string{"veil.rules.test.yml", "veil.rules.days.test.yml"}
	for _, args := range [][]string{{"check", "rules", "--lint-fatal", "veil.rules.yml"}, {"check", "config", "prometheus.yml"}, append([]string{"test", "rules"}, tests...)} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = watchFolder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	rules := readFile(t, filepath.Join(watchFolder, "veil.rules.yml"))
	var tested []byte
	for _, name := range tests {
		tested = append(tested, readFile(t, filepath.Join(watchFolder, name))...)
	}
	names := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllSubmatch(rules, -1)
	for _, m := range names {
		fires := regexp.MustCompile(`alertname: ` + string(m[1]) + `\s+exp_alerts:`)
		if !fires.Match(tested) {
			t.Errorf("no test hears %s", m[1])
		}
	}
	if len(names) < 15 {
		t.Errorf("%d alerts", len(names))
	}
	for _, m := range regexp.MustCompile(`runbook: (\S+)`).FindAllSubmatch(rules, -1) {
		if _, err := os.Stat(filepath.Join("..", string(m[1]))); err != nil {
			t.Errorf("the rules name %s: %v", m[1], err)
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDashboardShowsSomething has a real Prometheus scrape a worker: every query of the dashboard, and every metric that an alert
// names, has figures, and every rule can be computed.
func TestDashboardShowsSomething(t *testing.T) {
	program := prometheusTool(t, "prometheus")
	s := newShop(t)
	listen := freeAddress(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, sealtest.NewAuthority(t, time.Now().Add(-time.Hour), time.Now().Add(48*time.Hour)).PEM(t), 0o600); err != nil {
		t.Fatal(err)
	}
	s.work(s.daemonOf(s.flags(), func(d *daemon) {
		d.listen, d.certs = listen, []metrics.Certificate{{Name: "nats-ca", Path: ca}}
		d.keyUntil = func() (time.Time, bool) { return time.Now().Add(time.Hour), true }
	}))
	batch := func(n string) {
		s.hand("released"+n, "ok "+n)
		s.hand("held"+n, "hold "+n)
		s.hand("failed"+n, "unreadable analyze "+n)
		s.hand("crashed"+n, "crash analyze "+n)
		for _, id := range []string{"released", "held", "failed", "crashed"} {
			s.answer(id + n)
		}
	}
	deadline := time.Now().Add(time.Hour)
	s.hand("waiting", "hang analyze", func(j *jobs.Job) { j.Deadline = &deadline })
	s.until("waiting", func(st jobs.State) bool { return st.Phase == jobs.Running })
	batch("1")
	p := s.startPrometheus(program, listen)
	p.until("veil_jobs_running")
	batch("2")
	p.until(`veil_attempts_total{outcome="released"} == 2`)
	p.until(`count_over_time(veil_jobs_running[1m]) > 4`)

	queries, metric := dashboardQueries(t), regexp.MustCompile(`veil_\w+`)
	for _, q := range queries {
		if p.figures(strings.ReplaceAll(q, "$__rate_interval", "1m")) == 0 {
			t.Errorf("the dashboard's %s shows nothing", q)
		}
	}
	for _, rule := range p.rules() {
		for _, name := range metric.FindAllString(rule.Query, -1) {
			if p.figures(name) == 0 {
				t.Errorf("%s asks for %s, which no worker tells", rule.Name, name)
			}
		}
		if rule.Health != "ok" {
			t.Errorf("%s: %s %s", rule.Name, rule.Health, rule.LastError)
		}
	}
}

// dashboardQueries are those of all panels.
func dashboardQueries(t *testing.T) (all []string) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(readFile(t, filepath.Join(watchFolder, "dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	if len(all) < 20 {
		t.Fatalf("the dashboard asks for %d things", len(all))
	}
	return all
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// prometheus is a running server.
type prometheusServer struct {
	t   *testing.T
	url string
	log *bytes.Buffer
}

// startPrometheus starts a server that looks at the worker each half second, by the house's own rules.
func (s *shop) startPrometheus(program, worker string) *prometheusServer {
	s.t.Helper()
	dir, listen := s.t.TempDir(), freeAddress(s.t)
	rules, err := filepath.Abs(filepath.Join(watchFolder, "veil.rules.yml"))
	if err != nil {
		s.t.Fatal(err)
	}
	config := fmt.Sprintf("global: {scrape_interval: 500ms, evaluation_interval: 500ms}\nrule_files: [%q]\n"+
		"scrape_configs: [{job_name: veil, static_configs: [{targets: [%q]}]}]\n", rules, worker)
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		s.t.Fatal(err)
	}
	p := &prometheusServer{t: s.t, url: "http://" + listen, log: &bytes.Buffer{}}
	cmd := exec.Command(program, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+listen)
	cmd.Stderr = p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return p
}

// get asks the server's interface.
func (p *prometheusServer) get(path string, to any) error {
	r, err := http.Get(p.url + path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return errors.New(answer.Error)
	}
	return json.Unmarshal(answer.Data, to)
}

// ask is how many figures a query gives that are numbers.
func (p *prometheusServer) ask(query string) (n int, err error) {
	var data struct {
		Result []struct{ Value [2]any }
	}
	if err := p.get("/api/v1/query?query="+url.QueryEscape(query), &data); err != nil {
		return 0, err
	}
	for _, r := range data.Result {
		text, _ := r.Value[1].(string)
		if v, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(v) {
			n++
		}
	}
	return n, nil
}

func (p *prometheusServer) figures(query string) int {
	p.t.Helper()
	n, err := p.ask(query)
	if err != nil {
		p.t.Errorf("%s: %v", query, err)
	}
	return n
}

// until waits until a query gives something.
func (p *prometheusServer) until(query string) {
	p.t.Helper()
	var last error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		n, err := p.ask(query)
		if n > 0 {
			return
		}
		last = err
	}
	p.t.Fatalf("%s never came: %v", query, last)
}

// watchRule is one rule as the server sees it.
type watchRule struct{ Name, Query, Health, LastError string }

// rules are those that the server has computed.
func (p *prometheusServer) rules() (all []watchRule) {
	p.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		var data struct{ Groups []struct{ Rules []watchRule } }
		if err := p.get("/api/v1/rules", &data); err != nil {
			p.t.Fatal(err)
		}
		all = nil
		known := true
		for _, g := range data.Groups {
			for _, r := range g.Rules {
				known = known && r.Health != "unknown"
				all = append(all, r)
			}
		}
		if known && len(all) > 0 {
			return all
		}
	}
	p.t.Fatal("the rules are never computed")
	return nil
}
