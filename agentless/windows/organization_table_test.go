package windows

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNoOrganizationFactComesWithoutALine: what a look at a whole forest and the
// export of its templates tell is what the table has, no more and no less, and
// each fact says the question of its line.
func TestNoOrganizationFactComesWithoutALine(t *testing.T) {
	t.Parallel()
	o, err := organizationOf(recordsOf(regexp.MustCompile(`domain=far.*`).ReplaceAllString(forest, "here=|")))
	if err != nil {
		t.Fatal(err)
	}
	o.Whole, o.Replicated = true, true
	told := append(o.Facts(time.Unix(0, 0)), Templates{}.Fact(time.Unix(0, 0)))
	lines := map[string]FactRow{}
	for _, row := range OrganizationFactTable() {
		if row.Name == "" || row.Ask == "" || row.Account == "" || row.Versions == "" || row.Source == "" {
			t.Errorf("a line lacks something: %+v", row)
		}
		if _, twice := lines[row.Name]; twice {
			t.Errorf("%s has two lines", row.Name)
		}
		lines[row.Name] = row
	}
	for _, f := range told {
		row, ok := lines[f.Name]
		if !ok || f.Source != row.Ask {
			t.Errorf("fact %s has no line, or another source: %q", f.Name, f.Source)
		}
	}
	for name := range lines {
		if !slices.ContainsFunc(told, func(f Fact) bool { return f.Name == name }) {
			t.Errorf("fact %s has a line and is not told", name)
		}
	}
}

// What the scripts ask: filters of searches with the attributes they want, and
// attributes that are read of one object.
var (
	searchOf    = regexp.MustCompile(`'(\([^']+\))' '([A-Za-z0-9 ]+)' '(?:Subtree|OneLevel)'`)
	attributeOf = regexp.MustCompile(`(?:Properties\[|\) |wkOrg )'([A-Za-z]+)'`)
	filterOf    = regexp.MustCompile(`\(.*\)`)
)

// TestEveryOrganizationFactIsAskedAsItsLineSays: a line's filters, objects and
// attributes are in its script's text, and a script searches for nothing that no
// line has.
func TestEveryOrganizationFactIsAskedAsItsLineSays(t *testing.T) {
	t.Parallel()
	text := map[string]string{}
	for _, name := range []string{OrganizationLook, OrganizationExport} {
		raw, err := ScriptSource(name)
		if err != nil {
			t.Fatal(err)
		}
		text[name] = string(raw)
	}
	stated := map[string]string{} // script -> all that lines say of it
	for _, row := range OrganizationFactTable() {
		for _, part := range strings.Split(row.Ask, "; ") {
			f := strings.SplitN(strings.TrimPrefix(part, "script "), ": ", 2)
			source := text[f[0]]
			if len(f) != 2 || source == "" {
				t.Errorf("fact %s: %q names no script", row.Name, part)
				continue
			}
			stated[f[0]] += f[1] + "\n"
			at := strings.LastIndex(f[1], ": ")
			filter, searched := filterOf.FindString(f[1][:at]), false
			for _, s := range searchOf.FindAllStringSubmatch(source, -1) {
				searched = searched || s[1] == filter && s[2] == strings.ReplaceAll(f[1][at+2:], ",", "")
			}
			if filter != "" && !searched {
				t.Errorf("fact %s: the script has no search for %s with %s", row.Name, filter, f[1][at+2:])
			}
			for _, attribute := range strings.Split(f[1][at+2:], ", ") {
				if !strings.Contains(source, attribute) {
					t.Errorf("fact %s: the script does not ask for %s", row.Name, attribute)
				}
			}
			for _, rdn := range regexp.MustCompile(`CN=[^,]+`).FindAllString(f[1][:at], -1) {
				if !strings.Contains(source, rdn) {
					t.Errorf("fact %s: the script does not ask %s", row.Name, rdn)
				}
			}
		}
	}
	for name, source := range text {
		searches := searchOf.FindAllStringSubmatch(source, -1)
		if len(searches) == 0 {
			t.Errorf("no search was found in %s", name)
		}
		for _, s := range searches {
			if name == OrganizationExport && strings.Contains(s[1], "msExchOrganizationContainer") {
				continue // where the templates are
			}
			if !strings.Contains(stated[name], s[1]+": "+strings.ReplaceAll(s[2], " ", ", ")) {
				t.Errorf("%s searches for %s with %s, and no line says so", name, s[1], s[2])
			}
		}
		for _, a := range attributeOf.FindAllStringSubmatch(source, -1) {
			if !strings.Contains(strings.ToLower(stated[name]), strings.ToLower(a[1])) && !strings.HasSuffix(a[1], "NamingContext") {
				t.Errorf("%s reads %s, and no line says so", name, a[1])
			}
		}
	}
}
