package twin

import (
	"bytes"
	"compress/flate"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MediaTree is a small package as it lies unpacked, by path with backslashes: the
// setup.com that Setup is run from on simulated hosts, and some files of the
// kinds that real ones hold. pkg is "sp1", "sp2" or "sp3".
func MediaTree(pkg, language, arch string) map[string][]byte {
	common := `Setup\ServerRoles\Common\`
	return map[string][]byte{
		"setup.com":                       mediaBytes(strings.ToLower(pkg), language, arch),
		"exchangeserver.msi":              bytes.Repeat([]byte("0123456789abcdef"), 2048),
		common + "ExSetup.exe":            []byte("MZ\x90\x00ExSetup " + pkg),
		common + `Setup\Data\schema0.ldf`: bytes.Repeat([]byte("dn: CN=ms-Exch-Schema-Version-Pt\r\n"), 40),
		common + `en\ExBPA.PreReqs.xml`:   []byte("<Configuration/>"),
		common + "empty.txt":              {},
		`Setup\ServerRoles\UnifiedMessaging\UMLanguagePack.de-DE.msi`: []byte("um de-DE " + pkg),
	}
}

// Bundle makes the bundle of a tree, as hosts fetch it: every file one after the
// other, deflated where that helps, and the manifest as its tail.
func Bundle(tree map[string][]byte) (bundle, manifest []byte, err error) {
	var out, lines bytes.Buffer
	for _, path := range slices.Sorted(maps.Keys(tree)) {
		data, how := tree[path], "plain"
		var small bytes.Buffer
		w, err := flate.NewWriter(&small, flate.DefaultCompression)
		if err != nil {
			return nil, nil, fmt.Errorf("bundle: %w", err)
		}
		if _, err := w.Write(data); err != nil {
			return nil, nil, fmt.Errorf("bundle %s: %w", path, err)
		}
		if err := w.Close(); err != nil {
			return nil, nil, fmt.Errorf("bundle %s: %w", path, err)
		}
		stored := data
		if small.Len() < len(data)*9/10 {
			stored, how = small.Bytes(), "deflate"
		}
		fmt.Fprintf(&lines, "%s|%d|%d|%s|%s\r\n", sumOf(data), len(data), len(stored), how, path)
		out.Write(stored)
	}
	out.Write(lines.Bytes())
	return out.Bytes(), lines.Bytes(), nil
}
