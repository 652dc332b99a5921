package storetest

import (
	"net/url"
	"testing"
)

func rename(t testing.TB, address, database string) string {
	t.Helper()
	out, err := renamed(address, database)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func renamed(address, database string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	u.Path = "/" + database
	return u.String(), nil
}
