// Package media is packages as files: what an unpacked package holds (Recognise),
// how it becomes one file that hosts can fetch, resume and prove (Pack), where
// those files lie on a console (Shelf), and the http listener that hosts with a
// living job fetch them from. It knows no database, no host and no Exchange rule.
//
// A bundle is every file of the tree one after the other, plain or as raw
// deflate (RFC 1951, which .NET Framework 2.0 reads), and then the manifest. It is
// one file with one hash, which also goes to shares and mirrors. No host ever
// runs a self-extractor.
package media

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// MaxBundle is the largest bundle, in bytes: HttpWebRequest.AddRange of .NET
// Framework 2.0 takes an int, and what cannot be resumed is not sent.
const MaxBundle = 1<<31 - 1

// Extension is what a bundle's name ends with: <SHA-256>.wkm.
const Extension = ".wkm"

// What may be wrong with media. The texts say what to do.
var (
	// ErrTooBig says that a tree makes a bundle of 2 GiB or more.
	ErrTooBig = errors.New("more than 2 GiB when packed, which a host of 2003 could not resume: the folder holds more than one package, or other files; name the package's own folder")
	// ErrTooMuch says that a file unpacks to more than any package holds.
	ErrTooMuch = errors.New("it unpacks to more than 6 GB or 50,000 files, or to more than it says itself: this is no service pack, or something changed it; nothing of it was kept")
	// ErrNoUnpacker says that cabextract is missing.
	ErrNoUnpacker = errors.New("cabextract is not installed: install it (Debian: apt-get install cabextract), or unpack the package on any Windows machine and name the folder with --unpacked")
	// ErrDamaged says that a file is no self-extracting cabinet, or was cut off.
	ErrDamaged = errors.New("it is cut off, damaged or no self-extracting cabinet: compare its size and hash with the download's, or unpack it on a Windows machine and name the folder with --unpacked")
	// ErrDelta says that a file holds differences only.
	ErrDelta = errors.New("it holds differences between files (an intra-package delta), which only Windows puts together: unpack it there and name the folder with --unpacked")
	// ErrNoSetup says that a tree is no service pack.
	ErrNoSetup = errors.New("there is no setup.com at the top: this is no unpacked service pack")
	// ErrNoRoom says that a disk of this machine is full.
	ErrNoRoom = errors.New("the disk is full: make room there, or name a folder on another disk with --media-dir")
	// ErrChanged says that a file on the shelf is not what its name says.
	ErrChanged = errors.New("it is not what was registered: something changed it; remove it and add the media again on this machine")
)

// told puts a full disk and a file that may not be read into words.
func told(where string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s: %w", where, ErrNoRoom)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: this user may not read or write it: %w", where, err)
	}
	return fmt.Errorf("%s: %w", where, err)
}
