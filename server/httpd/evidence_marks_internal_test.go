package httpd

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wavekeeper/server/store"
)

func TestMarksAreReadAsRegeditExportsThem(t *testing.T) {
	t.Parallel()
	const head = "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Exchange\\v8.0\\MailboxRole]\r\n"
	for text, want := range map[string][]store.Marker{
		head:                                nil,
		head + "\"Action\"=\"Install\"\r\n": {{Role: "MailboxRole", Name: "Action", Kind: "REG_SZ", Value: "Install"}},
		head + "\"Watermark\"=\"a\\\\b\\\"c=\"\r\n":                     {{Role: "MailboxRole", Name: "Watermark", Kind: "REG_SZ", Value: `a\b"c=`}},
		head + "\"Action\"=dword:0000000a\r\n":                          {{Role: "MailboxRole", Name: "Action", Kind: "REG_DWORD", Value: "10"}},
		head + "; Action is REG_BINARY and is not exported: \"00\"\r\n": {{Role: "MailboxRole", Name: "Action is REG_BINARY and is not exported: \"00\""}},
		head + "\"Action\"=hex:00,01\r\n":                               {{Role: "MailboxRole", Name: "Action", Value: "hex:00,01"}},
		"":                                                              nil, "\"unended": nil, "[": nil,
	} {
		got := readMarks(store.EvidenceContent{Data: []byte(text)})
		if diff := cmp.Diff(want, got.list); diff != "" || got.fault != "" {
			t.Errorf("%q: %s %s", text, diff, got.fault)
		}
	}
	if got := readMarks(store.EvidenceContent{Data: []byte("not read: no answer\r\n")}); got.fault != "no answer" || len(got.list) > 0 {
		t.Errorf("what could not be read: %+v", got)
	}
}

func TestSinceIsWhenTheStateBegan(t *testing.T) {
	t.Parallel()
	begin := time.Date(2008, 3, 14, 12, 0, 0, 0, time.UTC)
	event := func(minute int, state string) store.Event {
		return store.Event{Kind: store.EventUpgrade, Server: "MBX01", At: begin.Add(time.Duration(minute) * time.Minute), Data: map[string]any{"state": state}}
	}
	newestFirst := []store.Event{event(30, "interrupted"), event(20, "interrupted"), event(10, "running"), event(5, "interrupted")}
	if got, want := movedLast(newestFirst)["MBX01"], begin.Add(20*time.Minute); !got.Equal(want) {
		t.Errorf("since %s, want %s", got, want)
	}
}

func FuzzEvidenceIsReadWhateverItHolds(f *testing.F) {
	f.Add([]byte("\xff\xfe[\x00"))
	f.Add([]byte("[a]\r\n\"b\"=\"c\\"))
	f.Add([]byte("\xfe\xff\xd8"))
	f.Fuzz(func(t *testing.T, data []byte) {
		marks := readMarks(store.EvidenceContent{Data: data})
		for _, row := range marks.rows() {
			for _, c := range row.Path + row.Kind + row.Value {
				if hidden(c) {
					t.Fatalf("%q shows the character %U", data, c)
				}
			}
		}
		marks.digest()
	})
}
