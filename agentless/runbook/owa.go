package runbook

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// Outlook Web Access keeps its themes in a folder of its build: each level of
// Exchange brings its own, and what somebody changed in the old ones (the logo and
// the colours of the logon page) is not taken over. Source: "How to Create a Theme
// for Outlook Web Access" of Exchange 2007's help and its page on customizing the
// logon page, as remembered: the folders are looked for, not assumed.
const (
	owaFolder  = `ClientAccess\Owa`
	owaThemes  = 12 // folders of themes that are looked into
	owaAtMost  = 40 // differences that are listed
	owaSubject = "themes of Outlook Web Access"
)

// OWAEvidence is what of Outlook Web Access was changed and is other in the new
// level, as text.
const OWAEvidence = "owa"

// keptOf are keptPatterns, and the files of the logon page and the style sheets of
// each theme that the host has.
func keptOf(ctx context.Context, w *Work, install string) ([]string, error) {
	patterns := slices.Clone(keptPatterns)
	if !w.holds(exchange.ClientAccess) {
		return patterns, nil
	}
	root := strings.TrimRight(install, `\`) + `\`
	builds, _, err := w.Host.List(ctx, root+owaFolder)
	if err != nil {
		return nil, err
	}
	looked := 0
	for _, build := range builds {
		if !build.Folder || !strings.HasPrefix(build.Name, "8.") {
			continue
		}
		below := owaFolder + `\` + build.Name + `\themes`
		all, _, err := w.Host.List(ctx, root+below)
		if err != nil {
			return nil, err
		}
		for _, theme := range all {
			if theme.Folder && looked < owaThemes && !strings.Contains(theme.Name, ";") {
				looked++
				folder := below + `\` + theme.Name
				patterns = append(patterns, folder+`\lgn*.*`, folder+`\*.css`)
			}
		}
	}
	return patterns, nil
}

// themeFile is the part of a path below the folder of a build; "" where it is no
// file of a theme.
func themeFile(path string) string {
	rest, ok := strings.CutPrefix(strings.ToLower(path), strings.ToLower(owaFolder)+`\8.`)
	_, file, found := strings.Cut(rest, `\themes\`)
	if !ok || !found {
		return ""
	}
	return file
}

// owaDiffers lists the files of themes that the new level has otherwise than what
// was recorded: each old one with its hash, and the new one beside it.
func owaDiffers(before map[string]string, now []windows.KeptFile) (files []string, text string) {
	var b strings.Builder
	for _, f := range now {
		file := themeFile(f.Path)
		if _, had := before[strings.ToLower(f.Path)]; file == "" || had {
			continue
		}
		for old, sum := range before {
			if themeFile(old) == file && sum != f.SHA256 && len(files) < owaAtMost {
				files = append(files, file)
				fmt.Fprintf(&b, "%s %s\r\n  now %s %s\r\n", old, sum, f.Path, f.SHA256)
			}
		}
	}
	return files, b.String()
}
