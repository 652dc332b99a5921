package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"wavekeeper/agentless/kerberos"
	"wavekeeper/server/rollout"
	"wavekeeper/server/secret"
	"wavekeeper/server/store"
)

// KeyFlags name the key file.
type KeyFlags struct {
	KeyFile string `name:"key-file" help:"File with the key that seals credentials; made on first use, mode 0600. Keep it and a copy outside the database. Empty: wavekeeper.key in the user's configuration folder." env:"WAVEKEEPER_KEY_FILE" placeholder:"FILE"`
}

// path is where the key lies.
func (f KeyFlags) path() (string, error) {
	if f.KeyFile != "" {
		return f.KeyFile, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find a place for the key file (set --key-file): %w", err)
	}
	return filepath.Join(dir, "wavekeeper", "wavekeeper.key"), nil
}

// key loads the key. Where there is none one is made, unless accounts are sealed
// already: they open with their own key only, so that a second one is mostly a
// forgotten --key-file. renew makes one nevertheless.
func (f KeyFlags) key(ctx context.Context, s *store.Store, renew bool) (*secret.Key, error) {
	path, err := f.path()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || renew {
		return secret.Load(path)
	}
	all, err := s.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	webhooks, err := s.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 && len(webhooks) == 0 {
		return secret.Load(path)
	}
	sealed := map[string][]string{}
	for _, c := range all {
		sealed[c.KeyID] = append(sealed[c.KeyID], fmt.Sprintf("%s of profile %s", c.Purpose, c.Profile))
	}
	for _, w := range webhooks {
		sealed[w.KeyID] = append(sealed[w.KeyID], "webhook "+w.Name)
	}
	var which []string
	for _, id := range slices.Sorted(maps.Keys(sealed)) {
		which = append(which, fmt.Sprintf("%s (%s)", id, strings.Join(sealed[id], ", ")))
	}
	return nil, rollout.Invalid("There is no key file %s, and none is made: the database holds secrets that are sealed under the key %s. Name the file of that key with --key-file (WAVEKEEPER_KEY_FILE), the one that wavekeeper serve uses. When it is lost: credential set --new-key for each account, then hook allow for each webhook.",
		path, strings.Join(which, " and "))
}

// CredentialCmd is the commands for stored accounts. Secrets go in and never out.
type CredentialCmd struct {
	Set    CredentialSetCmd    `cmd:"" help:"Store an account and its secret, in place of the one before: a password from a file or standard input, or the content of a keytab, ticket cache or client certificate."`
	Rotate CredentialRotateCmd `cmd:"" help:"Replace an account's secret: the new one is tried at one host first, and the old one stays when that refuses it."`
	Retry  CredentialRetryCmd  `cmd:"" help:"Have a credential that was refused tried again as it is, at one host first."`
	List   CredentialListCmd   `cmd:"" help:"List accounts and what refused them; secrets are never shown."`
}

// SecretFlags say where a secret comes from, never the command line.
type SecretFlags struct {
	PasswordFile string `name:"password-file" help:"File with the password in its first line; - or nothing is standard input." placeholder:"FILE" xor:"secret"`
	Keytab       string `help:"Keytab with the account's keys, for Kerberos; its content is stored." placeholder:"FILE" type:"path" xor:"secret"`
	CCache       string `name:"ccache" help:"Ticket cache as kinit writes it, for Kerberos; its content is stored and ends with its tickets." placeholder:"FILE" type:"path" xor:"secret"`
	Certificate  string `help:"PEM file with the client certificate and its key; its content is stored." placeholder:"FILE" type:"path" xor:"secret"`
}

// mostSecretFile is above every keytab and certificate chain that is one.
const mostSecretFile = 1 << 20

// secret reads the secret and says of which kind it is. A keytab, ticket cache
// or certificate that is none is refused here.
func (f SecretFlags) secret(g *Globals) (content []byte, kind string, err error) {
	switch {
	case f.Keytab != "":
		if content, err = kerberos.ReadSecret(f.Keytab, kerberos.ErrKeytab); err != nil {
			return nil, "", fmt.Errorf("--keytab %s: %w", f.Keytab, err)
		}
		if _, err := kerberos.ParseKeytab(content); err != nil {
			return nil, "", fmt.Errorf("--keytab %s is no keytab: %w; make one with ktpass or ktutil", f.Keytab, err)
		}
		kind = store.KindKeytab
	case f.CCache != "":
		if content, err = kerberos.ReadSecret(f.CCache, kerberos.ErrCache); err != nil {
			return nil, "", fmt.Errorf("--ccache %s: %w", f.CCache, err)
		}
		if err := kerberos.CheckCache(content); err != nil {
			return nil, "", fmt.Errorf("--ccache %s: %w", f.CCache, err)
		}
		kind = store.KindCCache
	case f.Certificate != "":
		if content, err = os.ReadFile(f.Certificate); err != nil {
			return nil, "", fmt.Errorf("read --certificate: %w", err)
		}
		if _, err := tls.X509KeyPair(content, content); err != nil {
			return nil, "", fmt.Errorf("--certificate %s: a PEM file with certificate and key is needed: %w", f.Certificate, err)
		}
		kind = store.KindCertificate
	default:
		password, err := readSecret(g, f.PasswordFile)
		return []byte(password), store.KindPassword, err
	}
	if len(content) > mostSecretFile {
		return nil, "", fmt.Errorf("a secret of %d bytes is no %s", len(content), kind)
	}
	return content, kind, nil
}

// CredentialSetCmd stores a credential.
type CredentialSetCmd struct {
	DatabaseFlags
	KeyFlags
	SecretFlags
	Profile string `default:"default" help:"Profile that uses the account."`
	Purpose string `required:"" enum:"winrm,runas" help:"winrm: signs in to hosts. runas: runs Setup and Exchange cmdlets in host tasks, reaches Active Directory."`
	Account string `required:"" help:"The account, such as CONTOSO\\wavekeeper."`
	NewKey  bool   `name:"new-key" help:"Make the key file when there is none, although accounts are sealed under another key: that one is lost, and they have to be stored anew."`
}

// Run seals and stores the secret.
func (c *CredentialSetCmd) Run(g *Globals) error {
	ctx := context.Background()
	content, kind, err := c.secret(g)
	if err != nil {
		return err
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	key, err := c.key(ctx, s, c.NewKey)
	if err != nil {
		return err
	}
	profile, err := s.ProfileByName(ctx, c.Profile)
	if err != nil {
		return err
	}
	sealed, err := key.Seal(content, profile.ID, c.Purpose)
	if err != nil {
		return err
	}
	err = s.SetCredential(ctx, commandLine(), store.SealedCredential{
		ProfileID: profile.ID, Purpose: c.Purpose, Account: c.Account, Kind: kind, Sealed: sealed, KeyID: key.ID(),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(g.Stdout, "stored the %s account %s of profile %s\n", c.Purpose, c.Account, profile.Name)
	return c.leftBehind(ctx, g, s, key.ID())
}

// leftBehind says which webhooks are sealed under another key: their secrets
// cannot be sealed anew without it.
func (c *CredentialSetCmd) leftBehind(ctx context.Context, g *Globals, s *store.Store, keyID string) error {
	webhooks, err := s.Webhooks(ctx)
	if err != nil {
		return err
	}
	for _, w := range webhooks {
		if w.KeyID == keyID {
			continue
		}
		if _, err := fmt.Fprintf(g.Stdout, "the secret of webhook %s is sealed under the key %s and cannot be opened with this one: allow it again (hook allow), and have waves that it is bound to approved again\n", w.Name, w.KeyID); err != nil {
			return err
		}
	}
	return nil
}

// CredentialRetryCmd has a refused credential tried again.
type CredentialRetryCmd struct {
	DatabaseFlags
	Profile string `default:"default" help:"Profile that uses the account."`
	Purpose string `default:"winrm" enum:"winrm,runas" help:"Which of its accounts: ${enum}."`
	Reason  string `required:"" help:"Why, such as what was cured; kept on record."`
}

// Run has the refusals forgotten.
func (c *CredentialRetryCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	n, err := s.RetryCredential(ctx, commandLine(), c.Profile, c.Purpose, c.Reason)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.Stdout, "%d refused before; it is tried again, at one host first\n", n)
	return err
}

// CredentialListCmd lists credentials.
type CredentialListCmd struct{ DatabaseFlags }

// Run prints one line per credential, and below it what stands against it.
func (c *CredentialListCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	all, err := s.Credentials(ctx)
	if err != nil {
		return err
	}
	refused, err := s.Refusals(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROFILE\tPURPOSE\tACCOUNT\tKIND\tVERSION\tKEY\tSET\tBY\tSTATE")
	for _, r := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", r.Profile, r.Purpose, r.Account, r.Kind, r.Version, r.KeyID,
			r.SetAt.UTC().Format(time.RFC3339), r.SetBy, credentialState(r, refused))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range refused {
		who := r.Host
		if who == "" {
			who = "for all hosts that have not taken it"
		}
		if _, err := fmt.Fprintf(g.Stdout, "refused: %s, %s, %s: %s: %s\n", r.Profile, r.Account, who, r.At.UTC().Format(time.RFC3339), printable(r.Reason)); err != nil {
			return err
		}
	}
	return nil
}

// credentialState says in a word or two how a credential stands.
func credentialState(c store.Credential, refused []store.Refusal) string {
	hosts := 0
	for _, r := range refused {
		if r.CredentialID != c.ID {
			continue
		}
		if r.HostID == 0 {
			return "refused"
		}
		hosts++
	}
	switch {
	case hosts > 0:
		return fmt.Sprintf("refused by %d", hosts)
	case c.Purpose == store.PurposeRunAs:
		return "-"
	case c.ProvenAt == nil:
		return "not tried"
	}
	return "taken by " + c.ProvenBy
}
