package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Contents is what was recognised in a tree.
type Contents struct {
	Machine     string   // "x64" or "x86", by the PE header of setup.com; "" = it has none
	Build       string   // file version of ExSetup.exe, "8.1.240.6"; "" = not found
	UMLanguages []string // cultures of language packs for Unified Messaging, by their names
	Languages   []string // folders of Setup\ServerRoles\Common that hold ExBPA.PreReqs.xml, "en"
	Size        int64
	Files       int
}

// umPack is a language pack by its file name. UMLanguagePack.<culture> is
// documented for Exchange 2013; that 2007's are near it is remembered only, so
// what is found is shown to be corrected.
var umPack = regexp.MustCompile(`(?i)(?:^|\\)[^\\]*um[-_]?lang(?:uage)?[-_]?(?:packs?)?[._-]([a-z]{2}-[a-z]{2})\.(?:msi|exe)$`)

// Recognise looks for what a service pack must have, and refuses what Pack
// would refuse. ErrNoSetup says where setup.com is if not at the top.
func Recognise(dir string) (Contents, error) {
	var c Contents
	root, err := os.OpenRoot(dir)
	if err != nil {
		return c, told(dir, err)
	}
	defer root.Close()
	files, err := walk(root)
	if err != nil {
		return c, told(dir, err)
	}
	setup, below := "", ""
	for _, f := range files {
		c.Files, c.Size = c.Files+1, c.Size+f.size
		low := strings.ToLower(f.windows)
		parts := strings.Split(low, `\`)
		switch name := parts[len(parts)-1]; {
		case low == "setup.com":
			setup = f.path
		case name == "setup.com" && below == "":
			below = path.Dir(f.path)
		case name == "exsetup.exe" && c.Build == "":
			if c.Build, err = fileVersion(root, f.path); err != nil {
				return c, told(dir+"/"+f.path, err)
			}
		case name == "exbpa.prereqs.xml" && len(parts) > 2 && parts[len(parts)-3] == "common":
			c.Languages = append(c.Languages, parts[len(parts)-2])
		}
		if x := umPack.FindStringSubmatch(f.windows); x != nil {
			language, region, _ := strings.Cut(x[1], "-")
			c.UMLanguages = append(c.UMLanguages, strings.ToLower(language)+"-"+strings.ToUpper(region))
		}
	}
	switch {
	case setup == "" && below != "":
		return c, fmt.Errorf("%s: %w; it is in %s: name that folder", dir, ErrNoSetup, below)
	case setup == "":
		return c, fmt.Errorf("%s: %w", dir, ErrNoSetup)
	}
	slices.Sort(c.UMLanguages)
	c.UMLanguages = slices.Compact(c.UMLanguages)
	if c.Machine, err = machine(root, setup); err != nil {
		return c, told(dir+"/"+setup, err)
	}
	return c, nil
}

// machine reads the architecture out of a PE header (Microsoft's PE format: the
// offset of the header at 0x3c, the signature, the machine); "" = no PE file.
func machine(root *os.Root, name string) (string, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var dos [64]byte
	var head [6]byte
	if _, err := f.ReadAt(dos[:], 0); err != nil || dos[0] != 'M' || dos[1] != 'Z' {
		return "", notEnd(err)
	}
	at := int64(binary.LittleEndian.Uint32(dos[60:]))
	if _, err := f.ReadAt(head[:], at); err != nil || string(head[:4]) != "PE\x00\x00" {
		return "", notEnd(err)
	}
	return map[uint16]string{0x8664: "x64", 0x14c: "x86"}[binary.LittleEndian.Uint16(head[4:])], nil
}

// notEnd drops the error of a file that is too short to be a program.
func notEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// maxProgram bounds what is searched for a version; ExSetup.exe is far smaller.
const maxProgram = 64 << 20

// fileVersion finds VS_FIXEDFILEINFO by its signature 0xFEEF04BD and structure
// version 1.0, which nothing else in a program is likely to have; "" = none.
func fileVersion(root *os.Root, name string) (string, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxProgram))
	if err != nil {
		return "", err
	}
	i := bytes.Index(raw, []byte{0xbd, 0x04, 0xef, 0xfe, 0, 0, 1, 0})
	if i < 0 || i+16 > len(raw) {
		return "", nil
	}
	hi, lo := binary.LittleEndian.Uint32(raw[i+8:]), binary.LittleEndian.Uint32(raw[i+12:])
	return fmt.Sprintf("%d.%d.%d.%d", hi>>16, hi&0xffff, lo>>16, lo&0xffff), nil
}
