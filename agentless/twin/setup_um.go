package twin

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"wavekeeper/server/exchange"
)

// languagePacks is the key with one value for each language pack of Unified
// Messaging: culture and the product code of its package, as Setup of a later
// version writes it (UmLanguagePack.AddProductCodesToRegistry); the build is
// Windows Installer's, in the key of the product.
const languagePacks = exchangeRoot + `\UnifiedMessagingRole\LanguagePacks`

const uninstallKey = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall`

// packCode is the product code of a language pack of a build.
func packCode(culture string, b exchange.Build) string {
	sum := sha256.Sum256([]byte(strings.ToLower(culture) + " " + b.String()))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// putPack puts a language pack into the registry; the caller holds the lock.
func (h *host) putPack(culture string, b exchange.Build) {
	code := packCode(culture, b)
	h.regPut(languagePacks, text(culture, code))
	h.regPut(uninstallKey+`\{`+strings.ToUpper(code)+`}`, text("DisplayVersion", b.String()))
}

// packOf is the build of an installed language pack; the caller holds the lock.
func (h *host) packOf(culture string) (b exchange.Build, installed bool) {
	v := h.regGet(languagePacks, culture)
	if v == nil {
		return exchange.Build{}, false
	}
	if version := h.regGet(uninstallKey+`\{`+strings.ToUpper(v.Text)+`}`, "DisplayVersion"); version != nil {
		b = dotted(version.Text)
	}
	return b, true
}

// umPackFolder is where the package holds its language packs, as localised ones
// of later versions do; not confirmed for 2007.
const umPackFolder = `Setup\ServerRoles\UnifiedMessaging`

// packMinutes is how long a language pack takes to go or to come: the removal of
// one package of Windows Installer.
func (s *setup) packMinutes() int { return 4 + s.h.number("um-pack", 3) }

// removePack takes a language pack of Unified Messaging out, which only the
// Setup of the installed build can. Its own msilog lies beside the log (log 13
// of the corpus).
func (s *setup) removePack(mode string) bool {
	culture := s.given["removeumlanguagepack"]
	if !s.packBanner(mode, culture) {
		return false
	}
	var have exchange.Build
	installed, isPack := exchange.Build{}, false
	s.h.look(func() {
		have = s.h.build()
		installed, isPack = s.h.packOf(culture)
	})
	switch {
	case strings.EqualFold(culture, "en-US"):
		s.log(1, "[ERROR] The language pack 'en-US' cannot be removed.")
	case !isPack:
		s.log(1, "[ERROR] The Unified Messaging language pack '%s' is not installed.", culture)
	case s.target.Minor != have.Minor:
		s.log(1, "[ERROR] Setup %s cannot remove the language pack '%s' of version %s.", s.target, culture, installed)
	default:
		s.log(2, "Beginning processing uninstall-UMLanguagePack")
		s.msilog("remove", culture)
		stays := false
		s.h.update(func() { stays = s.h.strikes("um-pack-stays", nil) != nil })
		if stays {
			s.log(2, "[ERROR] Couldn't remove product with code 561f3a9a-e2f0-4e5f-8d05-8b2a2f1e9d11. The installation source for this product is not available. Error code is 1612.")
			return false
		}
		if !s.takes(80) || !s.phase(7) {
			return false
		}
		s.h.update(func() {
			s.h.regDeleteKey(uninstallKey + `\{` + strings.ToUpper(s.h.regGet(languagePacks, culture).Text) + `}`)
			s.h.regDelete(languagePacks, culture)
			s.h.happened("um-pack-removed", map[string]any{"culture": culture, "version": installed.String()})
		})
		s.log(2, "Ending processing uninstall-UMLanguagePack")
		return s.s.ctx.Err() == nil
	}
	return false
}

// addPack brings a language pack from a folder, which must be of the installed
// level: there is one set for 2007 RTM and another for its service packs
// (Microsoft's table of Unified Messaging languages).
func (s *setup) addPack(mode string) bool {
	culture := s.given["addumlanguagepack"]
	if !s.packBanner(mode, culture) {
		return false
	}
	folder := s.given["sourcedir"]
	if folder == "" {
		folder = s.given["s"]
	}
	var have, pack exchange.Build
	found := false
	s.h.look(func() {
		have = s.h.build()
		f := s.h.fileAt(clean(folder, s.s.cwd) + `\UMLanguagePack.` + culture + `.msi`)
		if f == nil {
			return
		}
		found = true
		if words := strings.Fields(string(f.Data)); len(words) == 3 {
			pack = releases[words[2]].build
		}
	})
	switch {
	case !found:
		s.log(1, "[ERROR] Setup cannot find the Unified Messaging language pack '%s' in '%s'.", culture, folder)
	case pack.Minor != have.Minor:
		s.log(1, "[ERROR] The language pack '%s' is of version %s and cannot be used with %s.", culture, pack, have)
	default:
		s.log(2, "Beginning processing install-UMLanguagePack")
		s.msilog("add", culture)
		if !s.takes(80) || !s.phase(7) {
			return false
		}
		s.h.update(func() {
			s.h.putPack(culture, pack)
			s.h.happened("um-pack-added", map[string]any{"culture": culture, "version": pack.String()})
		})
		s.log(2, "Ending processing install-UMLanguagePack")
		return s.s.ctx.Err() == nil
	}
	return false
}

// packBanner is the beginning of both.
func (s *setup) packBanner(mode, culture string) bool {
	s.log(0, "**********************************************")
	s.log(0, "Starting Microsoft Exchange Server 2007 Setup")
	s.log(0, "**********************************************")
	s.log(0, "Setup version: %s.", s.target)
	s.log(0, "Logged on user: %s.", s.s.who.name)
	s.log(0, "Command Line Parameter Name='%s', Value='%s'.", strings.ToLower(mode), culture)
	if !s.takes(10) || !s.phase(1) {
		return false
	}
	if !s.s.who.ad {
		s.log(0, "[ERROR] Setup encountered a problem while validating the state of Active Directory: %s", adMessage)
		return false
	}
	return s.takes(5) && s.phase(3)
}

func (s *setup) msilog(verb, culture string) {
	s.h.update(func() {
		s.h.writeFile(setupFolder+`\`+verb+`-UMLanguagePack.`+culture+`.msilog`,
			fmt.Appendf(nil, "=== Verbose logging started ===\r\nMSI (s) Product: UM language pack %s\r\nMainEngineThread is returning 0\r\n", culture))
	})
}
