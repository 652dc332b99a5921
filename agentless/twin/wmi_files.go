package twin

import (
	"fmt"
	"strings"
	"time"
)

// namespaceOf is where a class lies; all but IIS's are in root/cimv2.
func namespaceOf(class string) string {
	if strings.HasPrefix(class, "IIs") {
		return "root/MicrosoftIISv2"
	}
	return "root/cimv2"
}

// dataFiles are CIM_DataFile: names in lower case, version and company from the
// version resource, null where a file has none (documentation of CIM_DataFile).
func (h *host) dataFiles() []instance {
	var all []instance
	for low, f := range h.state.Files {
		if f.Dir {
			continue
		}
		extension := ""
		if i := strings.LastIndexByte(low, '.'); i > strings.LastIndexByte(low, '\\') {
			extension = low[i+1:]
		}
		all = append(all, instance{
			{"Caption", low},
			{"CreationClassName", "CIM_LogicalFile"},
			{"CSName", h.name},
			{"Drive", low[:2]},
			{"Extension", extension},
			{"FileSize", len(f.Data)},
			{"LastModified", f.Modified},
			{"Manufacturer", orNull(f.Company)},
			{"Name", low},
			{"Path", strings.TrimSuffix(parent(low)[2:], `\`) + `\`},
			{"Readable", true},
			{"Version", orNull(f.Version)},
		})
	}
	return all
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// applicationPools is the metabase of IIS 6 (IIS compatibility has it later on,
// where it is not installed here).
func (h *host) applicationPools() []instance {
	if !h.platform.before6() || h.service("W3SVC") == nil {
		return nil
	}
	_, narrow := h.trait("iis-32bit")
	return []instance{{
		{"Enable32bitAppOnWin64", narrow},
		{"Name", "W3SVC/AppPools"},
	}}
}

// installedOn is when an update came, in the form of the version of Windows: a
// text by update.exe on 2003, hexadecimal digits of a FILETIME on 2008 (seen in
// the field, tek-tips faq 7194), a date in month-first order on 2008 R2. The last
// of the list came with the last restart.
func (h *host) installedOn(id string) any {
	at := h.state.Installed
	if n := len(h.state.Hotfixes); n > 0 && h.state.Hotfixes[n-1] == id {
		at = h.state.Booted
	}
	if days, old := h.trait("updates-old"); old {
		at = time.Now().UTC().AddDate(0, 0, -max(atoi(days), 1))
	}
	if _, silent := h.trait("updates-undated"); silent {
		return ""
	}
	switch {
	case h.platform.before6() && h.platform.displayLanguage.name == "de-DE":
		return at.Format("02.01.2006")
	case h.platform.before6() || h.platform.windowsVersion.name == "2008R2":
		return at.Format("1/2/2006")
	}
	const to1970 = 11644473600
	return fmt.Sprintf("%016x", (at.Unix()+to1970)*1e7)
}

// adDomain is the DNS name of the domain that the host belongs to.
func (h *host) adDomain() string {
	if label, single := h.trait("single-label-domain"); single {
		if label == "" {
			label = "corp"
		}
		return label
	}
	return h.domain()
}

// member reports whether the host is a member of a domain.
func (h *host) member() bool {
	_, alone := h.trait("work-group")
	return !alone
}

// systemDrive is where Windows says that it is.
func (h *host) systemDrive() string {
	if drive, said := h.trait("system-drive"); said {
		return drive
	}
	return "C:"
}

// domainRole is 3 for a member of a domain, 4 for one of its controllers.
func (h *host) domainRole() int {
	if _, controller := h.trait("domain-controller"); controller {
		return 4
	}
	return 3
}

// memory is the host's in bytes: that of a recorded host, unless said otherwise.
func (h *host) memory() int64 {
	if mb, said := h.trait("memory"); said {
		return int64(atoi(mb)) << 20
	}
	return 4294041600
}
