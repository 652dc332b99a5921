package localpg

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// maxSocketDir leaves room for ".s.PGSQL.5432" within the 108 bytes that a
// Unix socket's path may have.
const maxSocketDir = 85

// endpoint is where a postmaster listens: a socket folder or 127.0.0.1, never
// both and never another address.
type endpoint struct {
	host string
	port int
}

// endpoint chooses the Unix socket where its path is short enough.
func (l layout) endpoint(ctx context.Context, tcp bool) (endpoint, error) {
	if !tcp && len(l.socketDir()) <= maxSocketDir {
		return endpoint{host: l.socketDir(), port: 5432}, nil
	}
	free, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return endpoint{}, err
	}
	port := free.Addr().(*net.TCPAddr).Port
	return endpoint{host: "127.0.0.1", port: port}, free.Close()
}

func (e endpoint) socket() bool { return strings.HasPrefix(e.host, "/") }

func (e endpoint) arguments() []string {
	listen, folder := e.host, ""
	if e.socket() {
		listen, folder = "", e.host
	}
	return []string{
		"-p", strconv.Itoa(e.port),
		"-c", "listen_addresses=" + listen,
		"-c", "unix_socket_directories=" + folder,
		"-c", "unix_socket_permissions=0700",
		"-c", "max_connections=200",
	}
}

func (e endpoint) url(role, password, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(role, password), Path: "/" + database}
	if e.socket() {
		u.RawQuery = url.Values{"host": {e.host}, "port": {strconv.Itoa(e.port)}}.Encode()
	} else {
		u.Host = net.JoinHostPort(e.host, strconv.Itoa(e.port))
		u.RawQuery = "sslmode=disable"
	}
	return u.String()
}

func (s *Server) connect(ctx context.Context, where endpoint, database string) (*pgx.Conn, error) {
	return pgx.Connect(ctx, where.url(superRole, s.passwords.Super, database))
}

func (s *Server) ping(ctx context.Context, where endpoint) error {
	conn, err := s.connect(ctx, where, "postgres")
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// running finds a postmaster that already serves our data folder.
func (s *Server) running(ctx context.Context) (endpoint, bool) {
	_, where, err := s.dir.postmaster()
	if err != nil {
		return endpoint{}, false
	}
	conn, err := s.connect(ctx, where, "postgres")
	if err != nil {
		return endpoint{}, false
	}
	defer conn.Close(ctx)
	var folder string
	if err := conn.QueryRow(ctx, "SHOW data_directory").Scan(&folder); err != nil {
		return endpoint{}, false
	}
	return where, folder == s.dir.data()
}
