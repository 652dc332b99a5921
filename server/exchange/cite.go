package exchange

import "strings"

// FoundingPage is what the code's sources call "the founding document": a public
// page, in German, on what an upgrade of Exchange 2007 by service pack takes.
const FoundingPage = "msxfaq.de, \"Service Packs für Exchange 2007\""

var cited = strings.NewReplacer("the founding document's", "that of "+FoundingPage, "The founding document", FoundingPage, "the founding document", FoundingPage, "founding document", FoundingPage)

// Cite names the sources of a text in words that a reader can follow: the code
// names the founding document shortly.
func Cite(source string) string { return cited.Replace(source) }
