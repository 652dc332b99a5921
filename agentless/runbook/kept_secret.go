package runbook

import (
	"bytes"
	"regexp"
	"strings"
)

// Files of settings may hold passwords and keys (identity and connectionStrings of
// web.config: "identity Element (ASP.NET Settings Schema)"; machineKey: "machineKey
// Element"). Such values are not kept at the coordinator, where everybody who may
// read evidence would see them; all else of the file is. Its hash is of the file as
// it was, and the copy on the host is whole until the upgrade ends.
var (
	secretAttribute = regexp.MustCompile(`(?i)(\b(?:password|passwd|pwd|secret|decryptionKey|validationKey|connectionString|sqlConnectionString|stateConnectionString)\s*=\s*)("[^"]+"|'[^']+')`)
	secretSetting   = regexp.MustCompile(`(?i)(<add\s+(?:key|name)\s*=\s*["'][^"']*(?:password|passwd|pwd|secret|connectionstring)[^"']*["']\s+value\s*=\s*)("[^"]+"|'[^']+')`)
	secretElement   = regexp.MustCompile(`(?i)(<(?:password|passwd|pwd|secret)>)([^<]+)(<)`)
)

// notKept stands in the place of a secret.
const notKept = "(not kept)"

// withoutSecrets is a configuration file as it is kept as evidence.
func withoutSecrets(path string, data []byte) []byte {
	low := strings.ToLower(path)
	if !strings.HasSuffix(low, ".config") && !strings.HasSuffix(low, ".xml") {
		return data
	}
	for _, pattern := range []*regexp.Regexp{secretAttribute, secretSetting} {
		data = pattern.ReplaceAllFunc(data, func(match []byte) []byte {
			at := pattern.FindSubmatchIndex(match)
			value := match[at[4]:at[5]]
			if bytes.Contains(bytes.ToLower(value), []byte("autogenerate")) { // no key, but how one comes about
				return match
			}
			return append(append(bytes.Clone(match[:at[4]+1]), notKept...), value[0])
		})
	}
	return secretElement.ReplaceAll(data, []byte("${1}"+notKept+"${3}"))
}
