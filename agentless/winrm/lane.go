package winrm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"wavekeeper/agentless/sealed"
)

const (
	maxHead     = 64 << 10 // of one HTTP answer
	sealedRoom  = 4 << 10  // what the wrapping of a sealed message adds
	largestKept = 256 << 10
)

// lane is one HTTP connection to a host. Requests on it follow each other: a
// login belongs to the connection, and a sealed message to its place in the
// order. http.Transport cannot be used for that: which connection a request gets
// is not known beforehand, and it sends some of them a second time.
type lane struct {
	net      net.Conn
	tcp      *net.TCPConn
	host     string // for the Host header
	loggedOn bool
	security sealed.Security // nil: bodies go as they are
	proof    *proof          // the login, until the first sealed answer shows that the host knows the credential
	idle     time.Time       // since when nobody uses it
}

// reader is what an answer is read through; it is empty between answers, so a
// lane needs none while it is idle.
type reader struct {
	io.LimitedReader
	*bufio.Reader
}

var readers = sync.Pool{New: func() any {
	r := &reader{}
	r.Reader = bufio.NewReaderSize(nil, 4<<10)
	return r
}}

var buffers = sync.Pool{New: func() any {
	buffer := make([]byte, 0, 2<<10)
	return &buffer
}}

// reply is an HTTP answer, read whole.
type reply struct {
	status int
	header http.Header
	media  string // the content type; "" = look into the header
	body   []byte
	last   bool // the connection ends with it
	sealed bool // body and media came sealed, the rest did not
}

// kind is the content type.
func (r *reply) kind() string {
	if r.media != "" || r.sealed {
		return r.media
	}
	return r.header.Get("Content-Type")
}

// exchange writes one request and reads its answer. The context of the caller
// reaches it by the connection's deadline (until).
func (l *lane) exchange(head, kind string, body []byte) (*reply, error) {
	buffer := buffers.Get().(*[]byte)
	out := append((*buffer)[:0], "POST /wsman HTTP/1.1\r\nHost: "...)
	out = append(out, l.host...)
	out = append(out, "\r\nUser-Agent: wavekeeper\r\nContent-Type: "...)
	out = append(out, kind...)
	out = append(out, "\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	out = append(append(append(out, "\r\n"...), head...), "\r\n"...)
	out = append(out, body...)
	_, failed := l.net.Write(out)
	if *buffer = out; cap(out) <= largestKept {
		buffers.Put(buffer)
	}
	if failed != nil && (errors.Is(failed, errDeadline) || errors.Is(failed, net.ErrClosed)) {
		return nil, failed
	}
	r := readers.Get().(*reader)
	r.LimitedReader = io.LimitedReader{R: l.net, N: maxHead + maxAnswer + sealedRoom}
	r.Reset(&r.LimitedReader)
	answer, err := read(r.Reader)
	if err == nil && r.Buffered() > 0 {
		answer.last = true // more than was asked for
	}
	r.Reset(nil)
	r.R = nil
	readers.Put(r)
	switch {
	case failed != nil && err != nil:
		return nil, failed
	case failed != nil: // a host may refuse before it read all
		answer.last = true
	}
	return answer, err
}

// read reads an answer, past those that only say that one will come.
func read(in *bufio.Reader) (*reply, error) {
	if answer, ok, err := quick(in); ok {
		if err != nil {
			return nil, err
		}
		return answer, nil
	}
	for range 5 {
		resp, err := http.ReadResponse(in, post)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode < 200 {
			continue
		}
		body, err := readBody(resp)
		_ = resp.Body.Close() // all that matters of it was read
		if err != nil {
			return nil, err
		}
		return &reply{status: resp.StatusCode, header: resp.Header, body: body, last: resp.Close}, nil
	}
	return nil, fmt.Errorf("%w: nothing but http status 1xx", errAnswer)
}

var post = &http.Request{Method: http.MethodPost}

func readBody(resp *http.Response) ([]byte, error) {
	const most = maxAnswer + sealedRoom
	tooLarge := &TooMuch{"bytes", maxAnswer}
	if resp.ContentLength > most {
		return nil, tooLarge
	}
	if resp.ContentLength >= 0 {
		// A host that announces much and sends little gets no memory for it.
		if resp.ContentLength <= 64<<10 {
			body := make([]byte, resp.ContentLength)
			_, err := io.ReadFull(resp.Body, body)
			return body, err
		}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err == nil && len(body) > most {
		err = tooLarge
	}
	return body, err
}

// until ties the connection to a context: when that ends, reading and writing
// do, too. The function it gives unties it; false means that the connection is
// of no more use.
func (l *lane) until(ctx context.Context) func() bool {
	return context.AfterFunc(ctx, func() {
		_ = l.net.SetDeadline(time.Unix(1, 0)) // one that is closed already needs none
	})
}

// alive looks whether the host closed an idle connection, or said something
// unasked. A read with a short deadline would cost its wait, and one with a past
// deadline does not read: the socket itself is asked.
func (l *lane) alive() bool {
	raw, err := l.tcp.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = errors.Is(err, syscall.EAGAIN)
		return true
	})
	return err == nil && quiet
}

// close ends the connection as it is: TLS would write its farewell, for up to 5 s
// to a host that reads no more. Nothing of it is used any more.
func (l *lane) close() { _ = l.tcp.Close() }
