// Package secret seals what may be stored but never shown: AES-256-GCM under a
// key that lies in a file outside the database. It knows no database and no
// purpose beyond the words that a secret is bound to.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// header is the key file's first line.
const header = "wavekeeper-key/1"

// Key seals and opens.
type Key struct {
	id   string
	aead cipher.AEAD
	raw  []byte
}

// ErrOtherKey says that something was sealed under a key that is not this one.
var ErrOtherKey = errors.New("sealed under another key")

// Load reads the key file. A file that does not exist is made, mode 0600, in
// one step; one that others could read or write is refused.
func Load(path string) (*Key, error) {
	k, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, fmt.Errorf("make the key file %s: %w", path, err)
		}
		k, err = read(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the key file %s: %w", path, err)
	}
	return k, nil
}

func read(path string) (*Key, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); !mode.IsRegular() || mode.Perm()&0o077 != 0 {
		return nil, fmt.Errorf("its mode is %o: others could read it; make it 0600 (chmod 600) and change the credentials that it sealed", mode.Perm())
	}
	content := make([]byte, 256)
	n, err := file.Read(content)
	if err != nil {
		return nil, err
	}
	first, second, _ := strings.Cut(strings.TrimSpace(string(content[:n])), "\n")
	raw, err := hex.DecodeString(second)
	if first != header || err != nil || len(raw) != 32 {
		return nil, fmt.Errorf("it is not a key file (a line %q and 64 hex digits)", header)
	}
	return keyOf(raw)
}

// create writes a new key beside its place and links it there, so that of two
// programs that start at once one key wins and no half file is ever seen.
func create(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, ".key-") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err := file.WriteString(header + "\n" + hex.EncodeToString(raw) + "\n"); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func keyOf(raw []byte) (*Key, error) {
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte("wavekeeper key id\n"), raw...))
	return &Key{id: hex.EncodeToString(sum[:8]), aead: aead, raw: raw}, nil
}

// ID names the key without telling it. It is stored beside what the key sealed.
func (k *Key) ID() string { return k.id }

// Derive returns 32 bytes that only who holds the key can make, the same for the
// same purpose every time. A purpose begins with a word and a version of its own,
// "wavekeeper media token/1", so that no two uses meet.
func (k *Key) Derive(purpose string) []byte {
	mac := hmac.New(sha256.New, k.raw)
	mac.Write([]byte("wavekeeper derived/1\n" + purpose))
	return mac.Sum(nil)
}

// Seal returns nonce and ciphertext. What is sealed opens only for the same
// profile and purpose.
func (k *Key) Seal(plain []byte, profile int64, purpose string) ([]byte, error) {
	nonce := make([]byte, k.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return k.aead.Seal(nonce, nonce, plain, bound(profile, purpose)), nil
}

// Open returns what was sealed under the key named id for this profile and
// purpose.
func (k *Key) Open(sealed []byte, id string, profile int64, purpose string) ([]byte, error) {
	if id != k.id {
		return nil, fmt.Errorf("open: %w (%s, this one is %s)", ErrOtherKey, id, k.id)
	}
	if len(sealed) < k.aead.NonceSize() {
		return nil, errors.New("open: what was sealed is cut off")
	}
	nonce, rest := sealed[:k.aead.NonceSize()], sealed[k.aead.NonceSize():]
	plain, err := k.aead.Open(nil, nonce, rest, bound(profile, purpose))
	if err != nil {
		return nil, errors.New("open: what was sealed was altered, or sealed for another profile or purpose")
	}
	return plain, nil
}

func bound(profile int64, purpose string) []byte {
	return []byte("wavekeeper-credential/1\n" + strconv.FormatInt(profile, 10) + "\n" + purpose)
}
