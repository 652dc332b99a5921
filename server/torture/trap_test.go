//go:build !race

package torture

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// trap is what a coordinator does to itself at a point of its own work. A point
// is named "before SaveStep @tick/setup": when, the query, the job and step.
type trap struct {
	Do   string // "kill" at the first point that File does not have, "trace" = only write them down, "stop" = SIGSTOP at Only; "" = nothing
	File string // one point a line; what is done is appended before it is done
	Only string // pattern of the points that count; "" = all
	Nth  int    // of "stop": at the nth such point, from 1
	Wait bool   // not before the process was sent SIGHUP
}

// tracer sees every query of the process.
type tracer struct {
	trap trap
	only *regexp.Regexp
	open atomic.Bool // the trap is set

	mu   sync.Mutex
	seen map[string]bool
	nth  int
	file *os.File
	txs  map[*pgx.Conn]string // the first write of the transaction that is open
}

func newTracer(t trap) (*tracer, error) {
	tr := &tracer{trap: t, seen: map[string]bool{}, txs: map[*pgx.Conn]string{}}
	if t.Do == "" {
		return tr, nil
	}
	tr.open.Store(!t.Wait)
	if t.Wait {
		set := make(chan os.Signal, 1)
		signal.Notify(set, syscall.SIGHUP)
		go func() {
			<-set
			tr.open.Store(true)
		}()
	}
	var err error
	if tr.only, err = regexp.Compile(t.Only); err != nil {
		return nil, err
	}
	if tr.seen, err = readPoints(t.File); err != nil {
		return nil, err
	}
	tr.file, err = os.OpenFile(t.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return tr, err
}

// readPoints reads a file of points; one that is not there has none.
func readPoints(path string) (map[string]bool, error) {
	raw, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	points := map[string]bool{}
	for _, line := range strings.Split(string(raw), "\n") {
		if line != "" {
			points[line] = true
		}
	}
	return points, nil
}

// at is called at each point, by whichever goroutine gets there.
func (tr *tracer) at(ctx context.Context, when, query string) {
	if !tr.open.Load() || query == "" {
		return
	}
	point := when + " " + query + " @" + place(ctx)
	if !tr.only.MatchString(point) {
		return
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	switch tr.trap.Do {
	case "trace":
		if !tr.seen[point] {
			tr.seen[point] = true
			tr.note(point)
		}
	case "kill":
		if !tr.seen[point] {
			tr.note(point)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // nothing of this process happens any more
		}
	case "stop":
		if tr.nth++; tr.nth == tr.trap.Nth {
			tr.note(point)
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		}
	}
}

func (tr *tracer) note(point string) {
	if _, err := tr.file.WriteString(point + "\n"); err != nil {
		fmt.Fprintln(os.Stderr, "trap:", err)
		os.Exit(3)
	}
}

// place names the job and the runbook's step that the context belongs to.
func place(ctx context.Context) string {
	job, ok := pprof.Label(ctx, "job")
	if !ok {
		return "-"
	}
	if step, _ := pprof.Label(ctx, "step"); step != "" {
		return job + "/" + step
	}
	return job
}

var (
	sqlName    = regexp.MustCompile(`--\s*name:\s*(\w+)`)
	sqlComment = regexp.MustCompile(`(?s)/\*.*?\*/|--[^\n]*`)
	sqlWrite   = regexp.MustCompile(`(?i)\b(insert\s+into|update\s+\S+(\s+as\s+\w+)?\s+set|delete\s+from|pg_notify)\b`)
	sqlWord    = regexp.MustCompile(`\w+`)
)

// named reads what a statement is called, and whether it writes.
func named(sql string) (name string, writes bool) {
	if m := sqlName.FindStringSubmatch(sql); m != nil {
		name = m[1]
	}
	sql = sqlComment.ReplaceAllString(sql, "")
	if name == "" {
		name = strings.Join(sqlWord.FindAllString(sql, 4), "-")
	}
	return name, sqlWrite.MatchString(sql)
}

type pointKey struct{}

// TraceQueryStart is the point before a query.
func (tr *tracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	point := tr.begins(conn, data.SQL)
	tr.at(ctx, "before", point)
	return context.WithValue(ctx, pointKey{}, point)
}

// TraceQueryEnd is the point after a query that succeeded.
func (tr *tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	point, _ := ctx.Value(pointKey{}).(string)
	if data.Err == nil {
		tr.at(ctx, "after", point)
	}
}

// TraceCopyFromStart is the point before a COPY, which is a write.
func (tr *tracer) TraceCopyFromStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	point := tr.begins(conn, "insert into copy-"+strings.Join(data.TableName, "."))
	tr.at(ctx, "before", point)
	return context.WithValue(ctx, pointKey{}, point)
}

// TraceCopyFromEnd is the point after it.
func (tr *tracer) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	point, _ := ctx.Value(pointKey{}).(string)
	if data.Err == nil {
		tr.at(ctx, "after", point)
	}
}

// begins names a query as a point: writes, the begin of transactions (the first
// thing after an action on a host), and their end, by what they wrote first.
// Reading is no point: nothing changes by it.
func (tr *tracer) begins(conn *pgx.Conn, sql string) string {
	name, writes := named(sql)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	switch first := strings.ToLower(name); {
	case strings.HasPrefix(first, "begin"):
		tr.txs[conn] = ""
		return "begin"
	case strings.HasPrefix(first, "commit"):
		wrote := tr.txs[conn]
		delete(tr.txs, conn)
		if wrote == "" {
			return ""
		}
		return "commit(" + wrote + ")"
	case strings.HasPrefix(first, "rollback"):
		delete(tr.txs, conn)
		return ""
	}
	if !writes {
		return ""
	}
	if wrote, open := tr.txs[conn]; open && wrote == "" {
		tr.txs[conn] = name
	}
	return name
}
