package access

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"veil/worker/store"
)

// clock is a fake one.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func testLog(t *testing.T, c *clock) (*Log, store.Store) {
	t.Helper()
	s, err := store.OpenDir(t.TempDir(), store.DirOptions{Encryption: store.Declared})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return New(s, Options{Now: c.Now}), s
}

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func write(t *testing.T, l *Log, entries ...Entry) {
	t.Helper()
	for _, e := range entries {
		if err := l.Write(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func all(t *testing.T, l *Log, f Filter) (list []Entry) {
	t.Helper()
	for e, err := range l.Entries(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

func entry(a Action, job string) Entry {
	return Entry{Action: a, Job: job, Person: "J. Groß", Reason: "Antrag 12/26", What: "get"}
}

// entryJSON is an entry as it lies in a store.
const entryJSON = `{"schema":"veil.access/1","time":"MOMENT","action":"query","job":"young","person":"J. Doe","what":"get"}`

func TestEntriesComeBackInOrder(t *testing.T) {
	c := &clock{at(t, "2026-03-01T10:00:00Z")}
	l, _ := testLog(t, c)
	given := entry(Disclosure, "b")
	given.Recipient = "Presse <AG>"
	for _, e := range []Entry{entry(Collection, "a"), entry(Query, ""), given, entry(Deletion, "a")} {
		write(t, l, e)
		c.now = c.now.Add(36 * time.Hour)
	}
	list := all(t, l, Filter{})
	var actions []Action
	for _, e := range list {
		actions = append(actions, e.Action)
	}
	if diff := cmp.Diff([]Action{Collection, Query, Disclosure, Deletion}, actions); diff != "" {
		t.Error(diff)
	}
	if e := list[2]; e.Recipient != "Presse <AG>" || e.Schema != Schema || !e.Time.Equal(at(t, "2026-03-04T10:00:00Z")) {
		t.Errorf("%+v", e)
	}
	for name, tt := range map[string]struct {
		f    Filter
		want int
	}{
		"job": {Filter{Job: "a"}, 2}, "action": {Filter{Action: Query}, 1}, "from": {Filter{From: at(t, "2026-03-02T22:00:00Z")}, 3},
		"to": {Filter{To: at(t, "2026-03-02T22:00:00Z")}, 1}, "case": {Filter{Case: "x"}, 0},
	} {
		if n := len(all(t, l, tt.f)); n != tt.want {
			t.Errorf("%s: %d entries, want %d", name, n, tt.want)
		}
	}
}

func TestEntriesThatLackSomethingAreRefused(t *testing.T) {
	l, _ := testLog(t, &clock{at(t, "2026-03-01T10:00:00Z")})
	for name, change := range map[string]func(*Entry){
		"action": func(e *Entry) { e.Action = "look" }, "person": func(e *Entry) { e.Person = " " }, "what": func(e *Entry) { e.What = "" },
		"recipient": func(e *Entry) { e.Action = Disclosure }, "job": func(e *Entry) { e.Job = "a/b" },
		"controls": func(e *Entry) { e.Reason = "a\nb" }, "long": func(e *Entry) { e.Case = strings.Repeat("a", maxWords+1) },
	} {
		e := entry(Query, "a")
		change(&e)
		if err := l.Write(t.Context(), e); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(all(t, l, Filter{})); n != 0 {
		t.Errorf("%d entries were written", n)
	}
}

// TestExpiry: an entry goes at the end of the year after its own, and not before, wherever it was written and whatever the
// folder of its key is called.
func TestExpiry(t *testing.T) {
	c := &clock{at(t, "2026-03-01T10:00:00Z")}
	l, s := testLog(t, c)
	write(t, l, entry(Collection, "old"), entry(Query, "held"), entry(Query, ""))
	c.now = at(t, "2026-12-31T23:30:00Z").In(time.FixedZone("two hours ahead", 7200)) // a writer for whom it is 2027 already
	write(t, l, entry(Query, "same"))
	c.now = at(t, "2027-01-01T00:30:00Z").In(time.FixedZone("five hours behind", -18000)) // and one for whom it is still 2026
	write(t, l, entry(Query, "young"))
	older := "access/2026/12-31/" // of an earlier build, by that writer's calendar
	if _, err := s.Create(t.Context(), older+"1798763400000-0123456789ab-young.json", []byte(strings.Replace(entryJSON, "MOMENT", "2027-01-01T00:30:00Z", 1)), ""); err != nil {
		t.Fatal(err)
	}
	held := func(job string) bool { return job == "held" }
	for _, step := range []struct {
		now  string
		want int // entries that are left
	}{
		{"2027-12-31T23:59:59Z", 6},
		{"2028-01-01T00:00:00Z", 3}, // what is of 2026 has to be gone, but for the hold
		{"2028-12-31T23:59:59Z", 3},
		{"2029-01-01T00:00:00Z", 1},
	} {
		c.now = at(t, step.now)
		due, err := l.Expire(t.Context(), held, false)
		if err != nil {
			t.Fatal(err)
		}
		x, err := l.Expire(t.Context(), held, true)
		if err != nil || x.Entries != due.Entries || x.Kept != due.Kept {
			t.Fatalf("%s: %+v, the dry run said %+v: %v", step.now, x, due, err)
		}
		if n := len(all(t, l, Filter{})); n != step.want {
			t.Errorf("%s: %d entries are left, want %d", step.now, n, step.want)
		}
	}
	if x, err := l.Expire(t.Context(), held, true); err != nil || x.Kept != 1 || x.Entries != 0 {
		t.Errorf("%+v, %v", x, err)
	}
	if x, err := l.Expire(t.Context(), func(string) bool { return false }, true); err != nil || x.Entries != 1 || x.Years[2026] != 1 {
		t.Errorf("the hold is lifted: %+v, %v", x, err)
	}
	for o, err := range s.ListVersions(t.Context(), "") {
		t.Errorf("left behind: %s, %v", o.Key, err)
	}
}

func TestExports(t *testing.T) {
	c := &clock{at(t, "2026-03-01T10:00:00Z")}
	l, _ := testLog(t, c)
	e := entry(Disclosure, "b")
	e.Recipient, e.Reason, e.Count, e.Case = "=cmd()", "Straße", 3, "ST-1"
	write(t, l, entry(Query, ""), e)
	list := all(t, l, Filter{})
	b, err := JSON(list)
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		Schema  string  `json:"schema"`
		Entries []Entry `json:"entries"`
	}
	if err := json.Unmarshal(b, &back); err != nil || back.Schema == "" {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list, back.Entries); diff != "" {
		t.Error(diff)
	}
	if b, err = CSV(list); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff")))).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	// Entries of the same millisecond come in no order of note.
	row := rows[1]
	if row[1] == string(Query) {
		row = rows[2]
	}
	want := []string{"2026-03-01T10:00:00Z", "disclosure", "b", "ST-1", "J. Groß", "Straße", "'=cmd()", "get", "3"}
	if diff := cmp.Diff(want, row); diff != "" {
		t.Error(diff)
	}
	abs, err := filepath.Abs(filepath.Join("..", "..", "docs", "schema", "access.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.NewCompiler().Compile(abs)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%v\n%s", err, raw)
		}
	}
}

// TestForeignObjectsAreLeftAlone: what is no entry is neither read nor removed.
func TestForeignObjectsAreLeftAlone(t *testing.T) {
	c := &clock{at(t, "2030-03-01T10:00:00Z")}
	l, s := testLog(t, c)
	if _, err := s.Create(t.Context(), "access/2020/notes.txt", []byte("x"), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), "restricted/j/job.json", []byte("x"), ""); err != nil {
		t.Fatal(err)
	}
	if x, err := l.Expire(t.Context(), func(string) bool { return false }, true); err != nil || x.Entries != 0 {
		t.Errorf("%+v, %v", x, err)
	}
	if n := len(all(t, l, Filter{})); n != 0 {
		t.Errorf("%d entries", n)
	}
	for _, key := range []string{"access/2020/notes.txt", "restricted/j/job.json"} {
		if _, err := s.Stat(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
}
