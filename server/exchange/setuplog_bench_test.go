package exchange

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// longLog is about 100 MB of one run, with everything that a real one holds.
func longLog(b *testing.B) string {
	b.Helper()
	const size = 100 << 20
	var log strings.Builder
	log.Grow(size + 4096)
	log.WriteString("[30.11.2007 17:00:00] [0] Starting Microsoft Exchange Server 2007 Setup\r\n")
	for i := 0; log.Len() < size; i++ {
		stamp := fmt.Sprintf("[30.11.2007 %02d:%02d:%02d]", 17+i/600000, i/10000%60, i/160%60)
		fmt.Fprintf(&log, "%s [1] Beginning processing set-ExchangeServerRole -Identity 'EX%d' -DomainController 'dc1.contoso.com'\r\n", stamp, i)
		fmt.Fprintf(&log, "%s [2] Deleteting DS object /dc=de/dc=contoso/cn=Configuration/cn=Services/cn=Microsoft Exchange/cn=%d\r\n", stamp, i)
		fmt.Fprintf(&log, "%s [2] [WARNING] An unexpected error has occurred and a Watson dump is being generated: object %d\r\n", stamp, i)
		log.WriteString("   at Microsoft.Exchange.Configuration.Tasks.Task.ProcessRecord() in a line that continues the one before\r\n")
		if i%50 == 0 {
			fmt.Fprintf(&log, "%s [1] [ERROR] Service 'MSExchangeTransport' failed to reach status 'Running' on this server (%d).\r\n", stamp, i)
		}
		fmt.Fprintf(&log, "%s [1] Ending processing set-ExchangeServerRole\r\n", stamp)
	}
	log.WriteString("[30.11.2007 23:59:59] [0] The Exchange Server setup operation completed successfully.\r\n")
	return log.String()
}

// BenchmarkLogReader reads a log of 100 MB; the figure is at most 2 s and 50 MB
// of memory ("peak-MB" is what the reader's part of the heap grew by).
func BenchmarkLogReader(b *testing.B) {
	log := longLog(b)
	b.SetBytes(int64(len(log)))
	var before, at runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	peak := uint64(0)
	for b.Loop() {
		r := NewLogReader()
		from := strings.NewReader(log)
		piece := make([]byte, 256<<10)
		for n := 0; ; n++ {
			k, err := from.Read(piece)
			if err == io.EOF {
				break
			}
			if _, err := r.Write(piece[:k]); err != nil {
				b.Fatal(err)
			}
			if n%64 == 0 {
				runtime.ReadMemStats(&at)
				peak = max(peak, at.HeapInuse-min(at.HeapInuse, before.HeapInuse))
			}
		}
		if rep := r.Report(ReportOptions{}); rep.Verdict != VerdictSuccess || len(rep.Errors) != 1 {
			b.Fatalf("%+v", rep)
		}
	}
	b.ReportMetric(float64(peak)/(1<<20), "peak-MB")
}

// BenchmarkLogReaderGoesOn feeds one more kilobyte to a reader that holds 100 MB:
// what is new costs the same as at the beginning.
func BenchmarkLogReaderGoesOn(b *testing.B) {
	log := longLog(b)
	r := NewLogReader()
	if _, err := io.Copy(r, struct{ io.Reader }{strings.NewReader(log)}); err != nil {
		b.Fatal(err)
	}
	more := []byte(log[len(log)/2:][:1024])
	b.SetBytes(int64(len(more)))
	for b.Loop() {
		r.Feed(more)
	}
}
