package media_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"wavekeeper/server/media"
)

// naive is the limiter that most write: embedding the interface hides ReadFrom,
// and every byte goes through the program.
type naive struct{ http.ResponseWriter }

// BenchmarkMedia is the figure of media: 20 hosts fetch 32 MB each on loopback,
// from http.ServeContent alone, from the listener with all that it checks and
// limits, and from a wrapper without ReadFrom, in turns. The machine's noise is
// larger than the difference, that of one round is not: what counts is the median
// of the rounds' ratios. It fails below 80 % of ServeContent alone.
func BenchmarkMedia(b *testing.B) {
	const hosts, size, rounds, least = 20, 32 << 20, 7, 80.0
	s := serve(b, "127.0.126.30", size, hosts, media.Options{Rate: 64 << 30, Hosts: hosts})
	job := int64(hosts) // each fetches once: a host that fetches all of it twice has the file compared
	bare := func(wrap func(http.ResponseWriter) http.ResponseWriter) string {
		at, err := net.Listen("tcp", "127.0.126.30:0")
		if err != nil {
			b.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f, err := os.Open(s.path)
			if err != nil {
				b.Error(err)
				return
			}
			defer f.Close()
			w.Header().Set("Content-Type", "application/octet-stream")
			http.ServeContent(wrap(w), r, "", time.Time{}, f)
		})}
		go server.Serve(at)
		b.Cleanup(func() { server.Close() })
		return "http://" + at.Addr().String() + "/"
	}
	ways := []struct{ name, url string }{
		{"bare", bare(func(w http.ResponseWriter) http.ResponseWriter { return w })},
		{"listener", s.url},
		{"no-ReadFrom", bare(func(w http.ResponseWriter) http.ResponseWriter { return naive{w} })},
	}
	round := func(url string) (rate, spent float64) {
		for i := range hosts {
			job++
			s.grants.change(token(i), func(g *media.Grant) bool {
				g.Job = job
				return true
			})
		}
		var all sync.WaitGroup
		began, cpu := time.Now(), processorTime(b)
		for i := range hosts {
			all.Go(func() {
				answer, err := begin(b, "GET", url, token(i), nil)
				if err != nil {
					b.Error(err)
					return
				}
				defer answer.Body.Close()
				n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, answer.Body, make([]byte, 256<<10))
				if err != nil || n != size {
					b.Errorf("%s: %d bytes, %v", url, n, err)
				}
			})
		}
		all.Wait()
		return hosts * size / time.Since(began).Seconds() / 1e6, (processorTime(b) - cpu).Seconds() / (hosts * size / 1e9)
	}
	for b.Loop() {
		rates, spent, part := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
		round(s.url) // hashes the bundle
		for range rounds {
			for _, way := range ways {
				rate, cpu := round(way.url)
				rates[way.name], spent[way.name] = append(rates[way.name], rate), append(spent[way.name], cpu)
				part[way.name] = append(part[way.name], 100*rate/rates["bare"][len(rates["bare"])-1])
			}
		}
		for _, way := range ways {
			b.ReportMetric(median(rates[way.name]), way.name+"-MB/s")
			b.ReportMetric(median(part[way.name]), way.name+"-%")
			b.Logf("%-12s %6.0f MB/s, %3.0f %% of bare, %.3f s of CPU for a GB (both ends)", way.name, median(rates[way.name]), median(part[way.name]), median(spent[way.name]))
		}
		if got := median(part["listener"]); got < least {
			b.Errorf("the listener reaches %.0f %% of http.ServeContent alone, want %.0f %%", got, least)
		}
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
