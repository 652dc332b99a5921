package winrm

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strconv"
)

// quick reads an answer of the kind that hosts nearly always give: 200 or 500,
// its head in one piece and its length told. Of any other kind it takes nothing
// and leaves it to net/http, which does all of this in ten times the work.
func quick(in *bufio.Reader) (answer *reply, ok bool, err error) {
	if _, err := in.Peek(1); err != nil {
		return nil, false, nil // net/http words it
	}
	head, err := in.Peek(in.Buffered())
	if err != nil {
		return nil, false, nil
	}
	end := bytes.Index(head, []byte("\r\n\r\n"))
	if end < 0 {
		return nil, false, nil
	}
	line, rest, _ := bytes.Cut(head[:end], []byte("\r\n"))
	answer = &reply{}
	switch {
	case bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")):
		answer.status = http.StatusOK
	case bytes.HasPrefix(line, []byte("HTTP/1.1 500 ")):
		answer.status = http.StatusInternalServerError
	default:
		return nil, false, nil
	}
	length := int64(-1)
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, found := bytes.Cut(line, []byte(":"))
		value = bytes.Trim(value, " \t")
		switch {
		case !found || len(name) == 0 || name[len(name)-1] <= ' ' || name[0] <= ' ':
			return nil, false, nil
		case is(name, "Content-Length"):
			n, err := strconv.ParseUint(string(value), 10, 31)
			if err != nil || length >= 0 {
				return nil, false, nil
			}
			length = int64(n)
		case is(name, "Content-Type"):
			if answer.media != "" {
				return nil, false, nil
			}
			answer.media = soapType
			if string(value) != soapType {
				answer.media = string(value)
			}
		case is(name, "Transfer-Encoding"), is(name, "Connection"), is(name, "Trailer"), is(name, "WWW-Authenticate"):
			return nil, false, nil
		}
	}
	if length < 0 || length > 64<<10 {
		return nil, false, nil
	}
	if _, err := in.Discard(end + 4); err != nil {
		return nil, true, err
	}
	answer.body = make([]byte, length)
	_, err = io.ReadFull(in, answer.body)
	return answer, true, err
}

func is(name []byte, want string) bool {
	return len(name) == len(want) && bytes.EqualFold(name, []byte(want))
}
