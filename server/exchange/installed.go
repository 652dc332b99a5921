package exchange

// InstalledBuild is the build of a server from its two witnesses: the lowest
// build that a role key's ConfiguredVersion names, and the file version of
// ExSetup.exe as the host gives it ("08.01.0263.001", "" when it was not read).
//
// ConfiguredVersion follows service packs and cannot be relied on to follow
// update rollups; ExSetup.exe is what Microsoft's own troubleshooters read for
// a rollup (KB2173280; whether each rollup replaces it is not proven). So the
// file speaks where it is of the same service pack level and not older than the
// keys. A file of another level is that of a Setup that broke or of a node whose
// keys are not yet configured: there the keys speak. Zero when the keys say
// nothing: a file alone does not prove that anything is configured.
func InstalledBuild(lowest Build, exsetup string) Build {
	file, err := ParseBuild(exsetup)
	if err != nil || file.IsZero() || lowest.IsZero() {
		return lowest
	}
	if file.Major != lowest.Major || file.ServicePack() != lowest.ServicePack() || file.Compare(lowest) <= 0 {
		return lowest
	}
	return file
}
