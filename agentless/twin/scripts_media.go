package twin

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Errors of .NET that the scripts about media can meet.
const (
	webException = "System.Net.WebException 80131509"
	fipsRefuses  = "System.InvalidOperationException" // SHA256Managed, KB811833
	hrInvalid    = "80131509"
	hrBadNetPath = "80070035"
	hrBadNetName = "80070043"
)

func sumOf(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

// pull is one run of media-pull: a real fetch over the network, from the host's
// own address, into a file of the host.
type pull struct {
	r                      *records
	h                      *host
	ctx                    context.Context
	from, token, sum, path string
	size                   int64
	here                   string
	told                   map[string]string // by kind, p or w
	other                  string            // the length that the source has, when it is another
	why                    string
	code                   int
	wait                   time.Duration
}

// scriptMediaPull fetches a bundle, going on where an earlier run stopped.
func scriptMediaPull(r *records, args []string) int {
	s := r.c.s
	p := &pull{
		r: r, h: s.h, ctx: s.ctx, from: argument(args, 0), token: argument(args, 1), sum: argument(args, 2),
		path: clean(argument(args, 4), s.cwd), here: clean(argument(args, 7), s.cwd), told: map[string]string{},
	}
	size, err := strconv.ParseInt(argument(args, 3), 10, 64)
	room, bad := strconv.ParseInt(argument(args, 5), 10, 64)
	minutes, worse := strconv.Atoi(argument(args, 6))
	if errors.Join(err, bad, worse) != nil {
		return r.fail("System.FormatException", hrFormat)
	}
	p.size = size
	part := p.path + ".part"
	free := p.h.freeSpace(p.path) + p.length(part)
	r.put("free", free)
	if _, there := p.h.fileBytes(p.path); !there && free < room {
		r.put("state", "no-room")
		return 0
	}
	if p.h.fips() {
		return r.fail(fipsRefuses, hrInvalid)
	}
	until := time.Now().Add(p.h.lasts(time.Duration(minutes) * time.Minute))
	resumed := p.length(part)
	state, tries, broken := "", 0, 0
	denied, beyond, heard := 0, 0, time.Now()
	for state == "" && p.ctx.Err() == nil {
		tries++
		if whole, there := p.h.fileBytes(p.path); there {
			if sumOf(whole) == p.sum {
				state = "present"
				break
			}
			p.remove(p.path)
		}
		before := p.length(part)
		p.why, p.code, p.wait = "", 0, 10*time.Second
		p.try(part)
		have := p.length(part)
		if have == p.size {
			p.tellBytes(have)
			if data, _ := p.h.fileBytes(part); sumOf(data) == p.sum {
				p.rename(part, p.path)
				state = "fetched"
				break
			}
			p.remove(part)
			if broken++; broken > 1 {
				state = "changed"
			}
			continue
		}
		p.tell("w", p.reason())
		if p.code == http.StatusRequestedRangeNotSatisfiable {
			p.remove(part)
			beyond++
		}
		if p.isDenied() {
			denied++
		}
		if have > before || p.code != 0 {
			heard = time.Now()
		}
		switch {
		case have > p.size:
			p.remove(part)
			state = "changed"
		case strings.HasSuffix(p.why, " "+hrDiskFull):
			state = "no-room"
		case denied > 2, p.code == http.StatusForbidden, p.code == http.StatusNotFound, strings.HasSuffix(p.why, " "+hrUnauthorized):
			state = "refused"
		case p.other != "", beyond > 1:
			state = "changed"
		case time.Since(heard) > p.h.lasts(5*time.Minute):
			state = "away"
		case time.Now().After(until):
			state = "too-long"
		default:
			if have > before {
				p.wait = time.Second
			}
			sleep(p.ctx, p.h.lasts(p.wait))
		}
	}
	if p.ctx.Err() != nil {
		return 1
	}
	if state == "fetched" {
		p.h.update(func() {
			p.h.happened("media-fetched", map[string]any{"bytes": p.size, "from": p.from, "resumed": resumed})
		})
	}
	r.put("state", state)
	r.put("tries", tries)
	r.put("resumed", resumed)
	r.put("length", p.length(p.path))
	r.put("source", p.other)
	r.put("why", p.why)
	r.put("code", p.code)
	return 0
}

// isDenied reports an answer that does not get better by itself.
func (p *pull) isDenied() bool {
	switch p.code {
	case http.StatusRequestTimeout, http.StatusRequestedRangeNotSatisfiable, http.StatusTooManyRequests:
		return false
	case 0:
		code := p.why[strings.LastIndex(p.why, " ")+1:]
		return slices.Contains([]string{hrFileNotFound, hrDirectoryNotFound, hrBadNetPath, hrBadNetName}, code)
	}
	return p.code > 299 && p.code < 500
}

// reason is why nothing comes, as far as a file's name can tell it.
func (p *pull) reason() string {
	words := strings.Split(p.why, " ")
	switch {
	case p.code != 0:
		return strconv.Itoa(p.code)
	case len(words) < 2:
		return "0"
	}
	return strings.Join(words[1:min(3, len(words))], "-")
}

// try fetches once, from what is there on.
func (p *pull) try(part string) {
	start := p.length(part)
	switch {
	case start == p.size:
	case strings.HasPrefix(p.from, "http:"):
		p.fetch(part, start)
	default:
		p.copyShare(part, start)
	}
}

// client dials as the host does, from its own address, so that the listener's
// look at addresses is a real one. It knows no proxy and follows nothing.
func (p *pull) client() *http.Client {
	dialer := &net.Dialer{Timeout: 60 * time.Second}
	if ip, _, err := net.SplitHostPort(p.h.address); err == nil {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(ip)}
	}
	return &http.Client{
		Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true, DisableCompression: true, DialContext: dialer.DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (p *pull) fetch(part string, start int64) {
	if p.h.struck("media-away") {
		p.why = webException + " 2" // ConnectFailure
		return
	}
	req, err := http.NewRequestWithContext(p.ctx, http.MethodGet, p.from, nil)
	if err != nil {
		p.why = "System.UriFormatException " + hrFormat
		return
	}
	req.Header.Set("User-Agent", "wavekeeper")
	if p.token != "" {
		req.Header.Set("X-Wavekeeper-Token", p.token)
	}
	if start > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", start))
		if p.token != "" {
			req.Header.Set("If-Range", `"`+p.sum+`"`)
		}
	}
	answer, err := p.client().Do(req)
	if err != nil {
		p.why = webException + " 2"
		return
	}
	defer func() { _ = answer.Body.Close() }() // read to its end or given up
	switch answer.StatusCode {
	case http.StatusOK:
		start = 0
		if answer.ContentLength >= 0 && answer.ContentLength != p.size {
			p.other = strconv.FormatInt(answer.ContentLength, 10)
			return
		}
	case http.StatusPartialContent:
		if _, whole, ok := strings.Cut(answer.Header.Get("Content-Range"), "/"); ok && whole != "*" && whole != strconv.FormatInt(p.size, 10) {
			p.other = whole
			return
		}
	default:
		p.code, p.why = answer.StatusCode, webException
		if wait, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && wait < 1000 {
			p.wait = time.Duration(wait) * time.Second
		}
		return
	}
	p.copyOn(part, start, answer.Body)
}

// copyShare reads a file of a share with the machine's own account.
func (p *pull) copyShare(part string, start int64) {
	data, code := p.h.fleet.shared(p.from)
	if code != "" {
		p.why = "System.IO.IOException " + code
		if code == hrUnauthorized {
			p.why = "System.UnauthorizedAccessException " + code
		}
		return
	}
	if int64(len(data)) != p.size {
		p.other = strconv.Itoa(len(data))
		return
	}
	if start > p.size {
		start = 0
	}
	p.copyOn(part, start, bytes.NewReader(data[start:]))
}

// copyOn writes what comes behind what is there, and tells how far it is.
func (p *pull) copyOn(part string, start int64, from io.Reader) {
	const told = 16 << 20
	p.tell("w", "0")
	p.h.update(func() {
		if p.ctx.Err() != nil {
			return
		}
		if f := p.h.fileAt(part); f != nil && int64(len(f.Data)) >= start {
			f.Data = f.Data[:start:start]
		} else {
			p.h.writeFile(part, nil)
		}
	})
	cut := int64(-1)
	if p.h.struck("media-cut") {
		cut = start + (p.size-start)/2
	}
	spoil := p.h.struck("media-changed")
	buf := make([]byte, 1<<20)
	done, mark := start, start+told
	for done <= p.size {
		n, err := from.Read(buf)
		if spoil && n > 0 {
			buf[n/2] ^= 0xff
			spoil = false
		}
		if cut >= 0 && done+int64(n) > cut {
			n = int(max(0, cut-done))
			err = io.ErrUnexpectedEOF
		}
		if !p.grow(part, buf[:n]) {
			break
		}
		if done += int64(n); done > mark {
			p.tellBytes(done)
			mark = done + told
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				p.why = "System.IO.IOException " + hrIO
			}
			break
		}
	}
	p.tellBytes(p.length(part))
}

// grow appends to the file; false when the disk is full or the machine is down.
func (p *pull) grow(part string, data []byte) bool {
	went := false
	p.h.update(func() {
		f := p.h.fileAt(part)
		switch {
		case p.ctx.Err() != nil || f == nil:
		case !p.h.hasRoom(part, len(f.Data)+len(data)):
			p.why = "System.IO.IOException " + hrDiskFull
		default:
			p.h.appendFile(part, data)
			went = true
		}
	})
	return went
}

// tellBytes says how far it is.
func (p *pull) tellBytes(done int64) { p.tell("p", fmt.Sprintf("%d-%d", done, p.size)) }

// tell says something by the name of an empty file, one of each kind.
func (p *pull) tell(kind, what string) {
	next := p.here + `\` + kind + "-" + what
	p.h.update(func() {
		switch last := p.told[kind]; {
		case p.ctx.Err() != nil || last == next:
			return
		case last == "":
			p.h.writeFile(next, nil)
		default:
			p.h.moveTree(last, next)
		}
		p.told[kind] = next
	})
}

func (p *pull) length(path string) int64 {
	data, _ := p.h.fileBytes(path)
	return int64(len(data))
}

func (p *pull) remove(path string) {
	p.h.update(func() {
		if p.ctx.Err() == nil {
			delete(p.h.state.Files, strings.ToLower(path))
		}
	})
}

func (p *pull) rename(from, to string) {
	p.h.update(func() {
		if p.ctx.Err() == nil {
			p.h.moveTree(from, to)
		}
	})
}

// inflated is what a piece of a bundle is unpacked.
func inflated(piece []byte, how string) ([]byte, error) {
	if how != "deflate" {
		return bytes.Clone(piece), nil
	}
	return io.ReadAll(flate.NewReader(bytes.NewReader(piece)))
}
