package httpd

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"wavekeeper/server/auth"
	"wavekeeper/server/exchange"
	"wavekeeper/server/store"
)

const exportStep = 2000

// export walks the filtered history, the newest first, and puts the export
// itself on the record before its first line is sent.
func (s *server) export(w http.ResponseWriter, r *http.Request, kind, name string, write func([]store.HistoryEntry) error) error {
	v, err := s.allowed(r, auth.Export)
	if err != nil {
		return err
	}
	record := store.Record{What: "history.export", Subject: name, Detail: map[string]any{"filter": r.URL.RawQuery}}
	if err := s.Store.Note(r.Context(), v.actor(r), record); err != nil {
		return err
	}
	unlimited(r)
	f := readHistoryFilter(r.URL.Query(), v.zone)
	f.Limit = exportStep
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	for {
		entries, err := s.Store.History(r.Context(), f)
		if err != nil {
			return err
		}
		moreTime(w)
		if err := write(entries); err != nil {
			return errors.Join(r.Context().Err(), err)
		}
		if len(entries) < exportStep {
			return nil
		}
		key := entries[len(entries)-1].Key()
		f.Before = &key
	}
}

func (s *server) historyCSV(w http.ResponseWriter, r *http.Request) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	head := []string{"entry", "time", "who", "what", "kind", "subject", "rollout", "wave", "server", "reason", "text", "detail", "hash", "from"}
	return s.export(w, r, "text/csv; charset=utf-8", "history.csv", func(entries []store.HistoryEntry) error {
		if head != nil {
			if err := out.Write(head); err != nil {
				return err
			}
			head = nil
		}
		for _, e := range entries {
			row := []string{
				entryID(e), e.At.UTC().Format(time.RFC3339Nano), e.Who, kindWord(e.Kind), e.Kind, e.Subject, numberOrEmpty(e.Rollout), numberOrEmpty(int64(e.Wave)),
				e.Server, e.Reason, e.Text, e.Detail, e.Hash, e.Address,
			}
			for i := range row {
				row[i] = exchange.SafeCell(row[i])
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	})
}

func numberOrEmpty(n int64) string {
	if n == 0 {
		return ""
	}
	return entryID(store.HistoryEntry{Source: "a", First: n})
}

func (s *server) historyNDJSON(w http.ResponseWriter, r *http.Request) error {
	out := json.NewEncoder(w)
	return s.export(w, r, "application/x-ndjson", "history.ndjson", func(entries []store.HistoryEntry) error {
		for _, e := range entries {
			var detail json.RawMessage
			if e.Detail != "" {
				detail = json.RawMessage(e.Detail)
			}
			if err := out.Encode(map[string]any{
				"entry": entryID(e), "time": e.At.UTC(), "who": e.Who, "what": kindWord(e.Kind), "kind": e.Kind, "subject": e.Subject, "rollout": e.Rollout,
				"wave": e.Wave, "server": e.Server, "reason": e.Reason, "text": e.Text, "detail": detail, "hash": e.Hash, "from": e.Address,
			}); err != nil {
				return err
			}
		}
		return nil
	})
}
