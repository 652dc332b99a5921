package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"wavekeeper/server/secret"
	"wavekeeper/server/store"
)

// KeyFlags name the key file.
type KeyFlags struct {
	KeyFile string `name:"key-file" help:"File with the key that seals credentials; made on first use, mode 0600. Keep it and a copy outside the database. Empty: wavekeeper.key in the user's configuration folder." env:"WAVEKEEPER_KEY_FILE" placeholder:"FILE"`
}

// key loads the key, making it when there is none.
func (f KeyFlags) key() (*secret.Key, error) {
	path := f.KeyFile
	if path == "" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return nil, fmt.Errorf("find a place for the key file (set --key-file): %w", err)
		}
		path = filepath.Join(dir, "wavekeeper", "wavekeeper.key")
	}
	return secret.Load(path)
}

// CredentialCmd is the commands for stored accounts. Secrets go in and never out.
type CredentialCmd struct {
	Set  CredentialSetCmd  `cmd:"" help:"Store an account and its password, in place of the one before. The password is read from a file or standard input."`
	List CredentialListCmd `cmd:"" help:"List accounts; passwords are never shown."`
}

// CredentialSetCmd stores a credential.
type CredentialSetCmd struct {
	DatabaseFlags
	KeyFlags
	Profile      string `default:"default" help:"Profile that uses the account."`
	Purpose      string `required:"" enum:"winrm,runas" help:"winrm: signs in to hosts. runas: runs Setup and Exchange cmdlets in host tasks, reaches Active Directory."`
	Account      string `required:"" help:"The account, such as CONTOSO\\wavekeeper."`
	PasswordFile string `name:"password-file" help:"File with the password in its first line; - or nothing is standard input." placeholder:"FILE"`
}

// Run seals and stores the password.
func (c *CredentialSetCmd) Run(g *Globals) error {
	ctx := context.Background()
	password, err := readSecret(g, c.PasswordFile)
	if err != nil {
		return err
	}
	key, err := c.key()
	if err != nil {
		return err
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	profile, err := s.ProfileByName(ctx, c.Profile)
	if err != nil {
		return err
	}
	sealed, err := key.Seal([]byte(password), profile.ID, c.Purpose)
	if err != nil {
		return err
	}
	err = s.SetCredential(ctx, commandLine(), store.SealedCredential{
		ProfileID: profile.ID, Purpose: c.Purpose, Account: c.Account, Sealed: sealed, KeyID: key.ID(),
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.Stdout, "stored the %s account %s of profile %s\n", c.Purpose, c.Account, profile.Name)
	return err
}

// CredentialListCmd lists credentials.
type CredentialListCmd struct{ DatabaseFlags }

// Run prints one line per credential.
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
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROFILE\tPURPOSE\tACCOUNT\tKEY\tSET\tBY")
	for _, r := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Profile, r.Purpose, r.Account, r.KeyID, r.SetAt.UTC().Format(time.RFC3339), r.SetBy)
	}
	return w.Flush()
}
