package winrm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"golang.org/x/text/encoding/unicode"
)

// inside is the status to read an answer by. That of a sealed one came outside of
// the seal, where anybody can change it: a 403 made of a 200 would say that a
// command did not run. The envelope alone decides, and sure compares.
func (r *reply) inside() int {
	if r.sealed {
		return http.StatusOK
	}
	return r.status
}

// sure completes what was read of an answer by its inside.
func (r *reply) sure(err error) error {
	if !r.sealed {
		return err
	}
	var fault *Fault
	switch {
	case errors.As(err, &fault):
		fault.HTTPStatus = http.StatusInternalServerError // what carries a fault (SOAP 1.2, part 2, 7.5.2.2)
	case err == nil && r.status != http.StatusOK:
		return fmt.Errorf("%w: http status %d around an answer that is no fault", errAnswer, r.status)
	}
	return err
}

// answerOf turns an HTTP answer into an envelope or a fault.
func answerOf(status int, kind string, body []byte) (*node, []byte, error) {
	return answerBy(parse, status, kind, body)
}

// answerBy is answerOf with the memory for the tree.
func answerBy(parse func([]byte) (*node, error), status int, kind string, body []byte) (*node, []byte, error) {
	isSoap, charset := true, ""
	if kind != soapType { // what hosts write, in nearly all answers
		media, params, err := mime.ParseMediaType(kind)
		isSoap, charset = err == nil && strings.Contains(media, "xml"), params["charset"]
	}
	if status != http.StatusOK && (!isSoap || len(body) == 0) {
		return nil, nil, &Fault{HTTPStatus: status}
	}
	if len(bytes.TrimSpace(body)) == 0 {
		// Every answer of WS-Man is an envelope: a service that stops leaves these.
		return nil, nil, fmt.Errorf("%w: its content is empty", errBroken)
	}
	utf8, err := toUTF8(body, charset)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	envelope, err := parse(utf8)
	switch {
	case err == nil && envelope.name.Local != "Envelope":
		err = fmt.Errorf("%w: it is <%.40s>, not an Envelope", errAnswer, envelope.name.Local)
	case err == nil:
		if f := faultOf(envelope, status); f != nil {
			return nil, nil, f
		}
	}
	if status != http.StatusOK {
		return nil, nil, &Fault{HTTPStatus: status}
	}
	if err != nil {
		return nil, nil, err
	}
	return envelope, utf8, nil
}

// ended names why no answer came over a connection that stood.
func (t *transport) ended(ctx context.Context, err error) error {
	switch {
	case known(err):
		return err
	case errors.Is(err, errDeadline) && over(ctx) != nil:
		return fmt.Errorf("%w: %w", ErrTimeout, over(ctx))
	case errors.Is(err, errDeadline):
		return fmt.Errorf("%w: no answer within %s", ErrTimeout, t.limit)
	case strings.Contains(err.Error(), "malformed HTTP"):
		return fmt.Errorf("%w: it is no HTTP: another service listens on %s, or https (%s)", errBroken, t.address, usualPorts)
	default:
		return fmt.Errorf("%w: %w", errBroken, err)
	}
}

// known reports whether an error has one of this package's kinds already.
func known(err error) bool {
	var (
		rule    *Refused
		refused *CredentialRefused
		fault   *Fault
	)
	return errors.As(err, &rule) || errors.As(err, &refused) || errors.As(err, &fault) ||
		errors.Is(err, ErrUnreachable) || errors.Is(err, ErrDenied) || errors.Is(err, ErrTimeout) || errors.Is(err, errAnswer)
}

// toUTF8 undoes UTF-16, in which hosts may answer.
func toUTF8(body []byte, charset string) ([]byte, error) {
	isUTF16 := strings.EqualFold(charset, "utf-16") || bytes.HasPrefix(body, []byte{0xFF, 0xFE}) || bytes.HasPrefix(body, []byte{0xFE, 0xFF})
	if !isUTF16 {
		return bytes.TrimPrefix(body, []byte{0xEF, 0xBB, 0xBF}), nil
	}
	out, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(body)
	if err != nil {
		return nil, fmt.Errorf("decode UTF-16: %w", err)
	}
	return out, nil
}
