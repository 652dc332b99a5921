//go:build unix

package hook

import (
	"io/fs"
	"os"
	"syscall"
)

// foreignOwner is the owner of a file that belongs neither to root nor to the
// account of this program.
func foreignOwner(info fs.FileInfo) (owner uint32, foreign bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == 0 || int64(stat.Uid) == int64(os.Geteuid()) {
		return 0, false
	}
	return stat.Uid, true
}
