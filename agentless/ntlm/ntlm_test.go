package ntlm

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
	"time"
)

// MS-NLMP 4.2: user "User", domain "Domain", password "Password".
func TestVectors(t *testing.T) {
	t.Parallel()
	hash, err := Hash("Password")
	if got := hex.EncodeToString(hash); err != nil || got != "a4f49c406510bdcab6824ee7c30fd852" {
		t.Errorf("NTOWFv1 %s, %v", got, err)
	}
	owf, err := ntowf2(hash, "User", "Domain")
	if got := hex.EncodeToString(owf); err != nil || got != "0c868a403bfd7a93a3001ef22ef02e3f" {
		t.Errorf("NTOWFv2 %s, %v", got, err)
	}
	// 4.2.4.4: the exported session key is 16 times 0x55.
	s := newSession(bytes.Repeat([]byte{0x55}, 16), true)
	text, err := toUTF16("Plaintext")
	if err != nil {
		t.Fatal(err)
	}
	header, data, err := s.Seal(text)
	if got := hex.EncodeToString(data); err != nil || got != "54e50165bf1936dc996020c1811b0f06fb5f" {
		t.Errorf("sealed %s, %v", got, err)
	}
	if got := hex.EncodeToString(header); got != "010000007fb38ec5c55d497600000000" {
		t.Errorf("signature %s", got)
	}
}

// logon runs both sides against each other.
func logon(c *Client, s *Server) error {
	challenge, err := s.Challenge(c.Negotiate())
	if err != nil {
		return err
	}
	proof, err := c.Authenticate(challenge)
	if err != nil {
		return err
	}
	return s.Authenticate(proof)
}

func host(password string) *Server {
	return &Server{Computer: "MBX1", Domain: "LAB", Lookup: func(user, domain string) ([]byte, bool) {
		hash, err := Hash(password)
		return hash, err == nil && user == "svc"
	}}
}

func TestNamesAreSentAsTheyWereGiven(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		`LAB\svc`: {"svc", "LAB"}, "svc@lab.test": {"svc@lab.test", ""}, "svc": {"svc", ""}, `.\svc`: {"svc", "MBX1"},
	} {
		s := host("Geheim-1")
		s.Lookup = func(string, string) ([]byte, bool) {
			hash, err := Hash("Geheim-1")
			return hash, err == nil
		}
		if err := logon(&Client{Account: ParseAccount(name, "Geheim-1")}, s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if user, domain := s.Account(); user != want[0] || domain != want[1] {
			t.Errorf("%s arrived as %q of %q, want %q", name, user, domain, want)
		}
	}
}

func TestAWrongProofIsRefused(t *testing.T) {
	t.Parallel()
	binding := bytes.Repeat([]byte{7}, 16)
	for what, try := range map[string]func(*Client, *Server){
		"password":     func(c *Client, _ *Server) { c.Account.Password = "geheim-1" },
		"account":      func(c *Client, _ *Server) { c.Account.User = "svc2" },
		"binding":      func(_ *Client, s *Server) { s.Bindings = binding },
		"old password": func(c *Client, s *Server) { s.Old, c.Account.Password = true, "geheim-1" },
	} {
		c, s := &Client{Account: ParseAccount(`LAB\svc`, "Geheim-1")}, host("Geheim-1")
		try(c, s)
		if err := logon(c, s); !errors.Is(err, ErrLogon) || s.Session() != nil {
			t.Errorf("%s: %v, want a logon failure", what, err)
		}
	}
	c, s := &Client{Account: ParseAccount(`LAB\svc`, "Geheim-1"), Bindings: binding}, host("Geheim-1")
	s.Bindings = binding
	if err := logon(c, s); err != nil {
		t.Errorf("with the right binding: %v", err)
	}
}

func TestAHostWithoutSealingGetsNoProof(t *testing.T) {
	t.Parallel()
	for bit := uint32(1); bit != 0; bit <<= 1 {
		if bit&needed == 0 {
			continue
		}
		s := host("Geheim-1")
		challenge, err := s.Challenge((&Client{}).Negotiate())
		if err != nil {
			t.Fatal(err)
		}
		le.PutUint32(challenge[20:], le.Uint32(challenge[20:])&^bit)
		c := &Client{Account: ParseAccount("svc", "Geheim-1")}
		c.Negotiate()
		proof, err := c.Authenticate(challenge)
		var weak *Weak
		if proof != nil || !errors.As(err, &weak) || weak.Missing != bit || c.Session() != nil {
			t.Errorf("without %x: proof of %d bytes, %v", bit, len(proof), err)
		}
	}
}

func TestSealedMessagesAreOpenedInTheirOrderOnly(t *testing.T) {
	t.Parallel()
	c, s := &Client{Account: ParseAccount("svc", "Geheim-1")}, host("Geheim-1")
	if err := logon(c, s); err != nil {
		t.Fatal(err)
	}
	seal := func(text string) (header, data []byte) {
		header, data, err := c.Session().Seal([]byte(text))
		if err != nil || bytes.Contains(data, []byte("hostname")) {
			t.Errorf("sealed %q, %v", data, err)
		}
		return header, data
	}
	header, data := seal("hostname")
	again := bytes.Clone(data)
	if got, err := s.Session().Open(header, data); err != nil || string(got) != "hostname" {
		t.Errorf("opened %q, %v", got, err)
	}
	if got, err := s.Session().Open(header, again); !errors.Is(err, ErrTampered) {
		t.Errorf("the same once more: %q, %v", got, err)
	}
	header, data = seal("hostname")
	if got, err := s.Session().Open(header, data); !errors.Is(err, ErrTampered) {
		t.Errorf("after one that was refused: %q, %v", got, err)
	}
	for what, spoil := range map[string]func(header, data []byte) []byte{
		"a changed text":      func(h, d []byte) []byte { d[0] ^= 1; return h },
		"a changed signature": func(h, _ []byte) []byte { h[5] ^= 1; return h },
		"a short signature":   func(h, _ []byte) []byte { return h[:2] },
	} {
		c, s := &Client{Account: ParseAccount("svc", "Geheim-1")}, host("Geheim-1")
		if err := logon(c, s); err != nil {
			t.Fatal(err)
		}
		header, data, err := c.Session().Seal([]byte("hostname"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Session().Open(spoil(header, data), data); !errors.Is(err, ErrTampered) || got != nil {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

func TestTheHostsClock(t *testing.T) {
	t.Parallel()
	for _, old := range []bool{false, true} {
		c, s := &Client{Account: ParseAccount("svc", "Geheim-1")}, host("Geheim-1")
		s.Old = old
		if err := logon(c, s); err != nil {
			t.Fatal(err)
		}
		at, told := c.HostTime()
		if told == old || told && time.Since(at).Abs() > time.Minute {
			t.Errorf("old %t: the host's clock %s, %t", old, at, told)
		}
	}
}

func FuzzTokens(f *testing.F) {
	f.Add([]byte("NTLMSSP\x00\x02\x00\x00\x00"))
	c0 := &Client{}
	s0 := &Server{Computer: "A", Domain: "B", Lookup: func(string, string) ([]byte, bool) { return make([]byte, 16), true }}
	one := c0.Negotiate()
	two, err := s0.Challenge(one)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(two)
	three, err := c0.Authenticate(two)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(three)
	f.Fuzz(func(t *testing.T, b []byte) {
		c := &Client{Account: ParseAccount(`.\u`, "p")}
		c.Negotiate()
		_, _ = c.Authenticate(b) // it must not panic
		s := &Server{Lookup: s0.Lookup}
		if _, err := s.Challenge(one); err != nil {
			t.Fatal(err)
		}
		_ = s.Authenticate(b) // nor this
	})
}
