package access

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"veil/pipeline/account"
)

// JSON is the export of some entries, one document.
func JSON(entries []Entry) ([]byte, error) {
	if entries == nil {
		entries = []Entry{}
	}
	b, err := json.MarshalIndent(map[string]any{"schema": "veil.access-export/1", "entries": entries}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("export access log: %w", err)
	}
	return append(b, '\n'), nil
}

// CSV is the export of some entries as a table, times in UTC.
func CSV(entries []Entry) ([]byte, error) {
	rows := [][]string{strings.Fields("time action job case person reason recipient what count")}
	for _, e := range entries {
		count := ""
		if e.Count > 0 {
			count = strconv.Itoa(e.Count)
		}
		rows = append(rows, []string{e.Time.UTC().Format(time.RFC3339Nano), string(e.Action), e.Job, e.Case, e.Person, e.Reason, e.Recipient, e.What, count})
	}
	b, err := account.Table(rows)
	if err != nil {
		return nil, fmt.Errorf("export access log: %w", err)
	}
	return append([]byte(account.ByteOrderMark), b...), nil
}
