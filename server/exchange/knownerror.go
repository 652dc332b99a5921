package exchange

import (
	"regexp"
	"slices"
)

// Confidence says what a known error's texts rest on.
type Confidence string

// The confidences.
const (
	Seen       Confidence = "seen"       // the text stands in a page or log about Exchange 2007
	Successor  Confidence = "successor"  // it stands in logs of Exchange 2010 to 2019, whose Setup is of the same family
	Remembered Confidence = "remembered" // likely, not found in anything that was read
)

// KnownError is one thing that is known to go wrong with Setup, with an update
// rollup or soon after: how a line shows it, and what to do. A line shows it when
// it holds any of Any, Pattern matches it, it belongs to a block of errors if
// InErrors says so, and one of Contexts was met in the run up to and with it.
type KnownError struct {
	Rule       string // stable id, "missing-msp"
	Words      string // what it means
	Remedy     string // what to do
	Source     string
	Confidence Confidence
	Any        []string // lower case
	Contexts   []string // lower case; none = any run
	InErrors   bool
	// General is what shows with most failures of its kind, whatever the cause:
	// another known error of the run says more.
	General bool
	// Unmarked has InErrors hold for text as well that marks nothing: copied from a
	// window or a console, without a stamp on any line.
	Unmarked bool
	Pattern  string // regular expression over the whole line; empty = any line that holds one of Any

	pattern *regexp.Regexp
}

// KnownErrors lists the known errors, the most telling first: where several fit
// one line the first is reported. The list is a copy.
func KnownErrors() []KnownError { return slices.Clone(knownErrors) }

// KnownErrorByRule finds a known error by its id.
func KnownErrorByRule(rule string) (KnownError, bool) {
	i := slices.IndexFunc(knownErrors, func(k KnownError) bool { return k.Rule == rule })
	if i < 0 {
		return KnownError{}, false
	}
	return knownErrors[i], true
}

var knownErrors = compiled(slices.Concat(setupErrors, prerequisiteErrors, directoryErrors, installerErrors, serviceErrors, laterErrors))

func compiled(list []KnownError) []KnownError {
	for i := range list {
		if list[i].Pattern != "" {
			list[i].pattern = regexp.MustCompile(list[i].Pattern)
		}
	}
	return list
}

// Sources that more than one rule rests on.
const (
	reviewer = "CSS-Exchange, SetupLogReviewer"
	logs15   = "logs of Setup of Exchange 2013 to 2019 (CSS-Exchange, Setup/Tests)"
)
