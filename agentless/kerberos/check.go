package kerberos

// CheckCache says whether b is a ticket cache of which a ticket can be used for
// logging on, as ErrCache. Its times are not looked at.
func CheckCache(b []byte) error {
	_, _, entries, err := parseCache(b)
	if err != nil {
		return fail(ErrCache, "it is no ticket cache: %v; make one with kinit -c FILE", err)
	}
	if len(entries) == 0 {
		return fail(ErrCache, "there is no ticket in it; make one with kinit -c FILE")
	}
	return nil
}

// CheckConf says whether text is understood as a krb5.conf that says something
// about a realm, as ErrConfig.
func CheckConf(text string) error {
	c, err := parseConf(text)
	if err != nil {
		return fail(ErrConfig, "it is no krb5.conf: %v", err)
	}
	if c.realm == "" && len(c.kdcs) == 0 && len(c.domains) == 0 {
		return fail(ErrConfig, "it names no realm: a krb5.conf has default_realm in [libdefaults], or KDCs in [realms]")
	}
	return nil
}
