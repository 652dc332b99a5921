package store

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrUnsettled is among the causes of an error when the database went away
// while a transaction was committed: all of it is done or nothing, and only the
// database can say which.
var ErrUnsettled = errors.New("it is not known whether the transaction was committed")

// unsettled marks an error of COMMIT after which the outcome is open. A refusal
// that leaves the session alive is none: the database then says that nothing
// was done.
func unsettled(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.SeverityUnlocalized == "ERROR" {
		return err
	}
	if pgconn.SafeToRetry(err) {
		return err // COMMIT was never sent
	}
	return errors.Join(err, ErrUnsettled)
}

// away holds the classes of SQLSTATE with which a database says that it cannot
// work now: connections, resources, operator intervention, system errors.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
var away = []string{"08", "53", "57", "58"}

// readOnly is the SQLSTATE of a write on a database that takes none: a standby
// that clients were led to.
const readOnly = "25006"

// Away reports whether an error says that the database cannot work now: it is
// not there, cuts connections, takes too long or has no room. What was asked is
// not at fault; the same may work in a moment.
func Away(err error) bool {
	var connect *pgconn.ConnectError
	var pg *pgconn.PgError
	var network net.Error
	switch {
	case errors.As(err, &connect), errors.Is(err, ErrUnsettled):
		return true
	case errors.As(err, &pg):
		return pg.Code == readOnly || len(pg.Code) == 5 && slices.Contains(away, pg.Code[:2])
	case errors.As(err, &network), errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	case errors.Is(err, pgconn.ErrConnClosed):
		return true
	}
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}
