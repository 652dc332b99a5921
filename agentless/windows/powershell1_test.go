package windows

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// notPowerShell1 lists what is wrong with a text or not known to be in
// PowerShell 1.0. allowed are further tokens.
func notPowerShell1(text string, nodes []psNode, allowed ...string) []string {
	var out []string
	units := utf16.Encode([]rune(text))
	complain := func(x psNode, format string, args ...any) {
		line := 1 + strings.Count(string(utf16.Decode(units[:x.start])), "\n")
		out = append(out, fmt.Sprintf("line %d: ", line)+fmt.Sprintf(format, args...))
	}
	unknown := func(x psNode, what, name string) {
		if v := psLater[strings.ToLower(name)]; v != "" {
			complain(x, "%s %q came with PowerShell %s", what, name, v)
			return
		}
		complain(x, "%s %q is not in the list", what, name)
	}
	if at := backtick(slices.Clone(units), nodes); at >= 0 {
		complain(psNode{start: at}, "backtick outside a string")
	}
	known := map[string]bool{} // functions of the script, and its variables
	for i, x := range nodes {
		switch {
		case x.kind == "function_name":
			known[strings.ToLower(x.text)] = true
		case x.kind == "variable" && declares(nodes, i):
			known[strings.ToLower(x.text)] = true
		}
	}
	for i, x := range nodes {
		parent := psNode{}
		if x.parent >= 0 {
			parent = nodes[x.parent]
		}
		switch {
		case x.wrong, x.missing, x.named && x.start == x.end:
			complain(x, "does not parse: %.60q", x.text)
			continue
		case !x.named && strings.TrimSpace(x.text) == "": // a blank between arguments
			continue
		case !x.named && !psTokens[x.kind] && !slices.Contains(allowed, x.kind):
			unknown(x, "token", x.kind)
			continue
		case x.named && !psNodes[x.kind]:
			unknown(x, "construct", x.kind)
			continue
		case psStatements[x.kind] && parent.kind != "statement_list":
			complain(x, "a statement as a value came with PowerShell 2.0")
		}
		if what := astray(units, nodes, i); what != "" {
			complain(x, "%s", what)
		}
		switch x.kind {
		case "function_name":
			if what := takenName(x.text); what != "" {
				complain(x, "function %s %s", x.text, what)
			}
		case "expression_with_unary_operator":
			if op := nodes[i+1]; !op.named && op.text != "-not" {
				complain(x, "unary %q is not in the list", op.text)
			}
		case "foreach_statement":
			if what := overNothing(nodes, i); what != "" {
				complain(x, "%s", what)
			}
		case "cast_expression":
			if castInList(nodes, i) {
				complain(x, "%.40q in a list: whether it binds before the comma was not looked up for 1.0", x.text)
			}
		case "left_assignment_expression":
			if !assignable(nodes, i) {
				complain(x, "%.40q cannot be assigned to", x.text)
			}
		case "assignment_expression":
			if t := strings.Join(strings.Fields(x.text), " "); strings.HasPrefix(t, "$ErrorActionPreference") && t != "$ErrorActionPreference = 'Stop'" {
				complain(x, "%s is not in the list", t)
			}
		case "comment":
			if strings.HasPrefix(x.text, "<#") || strings.HasPrefix(strings.ToLower(strings.TrimLeft(x.text, "# ")), "requires") {
				complain(x, "comment %.40q came with PowerShell 2.0", x.text)
			}
		case "assignement_operator", "comparison_operator":
			if op := strings.ToLower(x.text); !psTokens[op] {
				unknown(x, "operator", op)
			}
		case "decimal_integer_literal":
			if strings.Trim(x.text, "0123456789") != "" {
				complain(x, "number %s: its suffix is not in the list", x.text)
			}
		case "variable":
			name := strings.ToLower(x.text)
			scope, _, scoped := strings.Cut(name, ":")
			switch {
			case declares(nodes, i) && takenVariable(name) && !psAutomatic[name] && x.text != "$ErrorActionPreference":
				complain(x, "variable %s is one of PowerShell's own", x.text)
			case strings.HasPrefix(name, "@"):
				complain(x, "splatting %q came with PowerShell 2.0", x.text)
			case scoped && !psScopes[scope]:
				unknown(x, "scope", scope)
			case psAutomatic[name] || psAutomatic[x.text]:
				if declares(nodes, i) && x.text != "$ErrorActionPreference" {
					complain(x, "automatic variable %s is set", x.text)
				}
			case !known[name]:
				unknown(x, "variable", name)
			}
		case "command":
			notCommand1(nodes, i, known, complain)
		case "type_literal":
			if name := strings.Trim(x.text, "[]"); !has(netStatic, name) {
				complain(x, "type [%s] is not in the list", name)
			}
		case "member_name":
			if owner := nodes[x.parent+1]; owner.kind == "type_literal" && nodes[x.parent].kind != "element_access" {
				if !words(netStatic[strings.Trim(owner.text, "[]")])[x.text] {
					complain(x, "%s::%s is not in the list", owner.text, x.text)
				}
			} else if !netMembers[x.text] {
				complain(x, "member .%s is not in the list", x.text)
			}
		}
	}
	return out
}

// astray says what of a node PowerShell refuses or reads otherwise though the
// grammar takes it, since it skips blanks and line ends: a blank before the
// arguments of a method, before an index or beside "::", and an operator at the
// beginning of a line.
func astray(units []uint16, nodes []psNode, i int) string {
	x := nodes[i]
	if x.parent < 0 || i == x.parent+1 {
		return ""
	}
	before := i - 1 // the sibling before
	for nodes[before].depth > x.depth {
		before--
	}
	gap := string(utf16.Decode(units[nodes[before].end:x.start]))
	parent := nodes[x.parent].kind
	switch {
	case gap == "":
		return ""
	case parent == "invokation_expression" || parent == "member_access" || parent == "element_access" && x.kind == "[":
		return fmt.Sprintf("a blank before %.20q", x.text)
	case strings.Contains(gap, "\n") && strings.HasSuffix(parent, "_expression") && !x.named && x.kind != ")" && x.kind != "]",
		strings.Contains(gap, "\n") && x.kind == "comparison_operator":
		return fmt.Sprintf("%q at the beginning of a line", x.text)
	}
	return ""
}

// backtick is where the first one outside a string is, -1 without.
func backtick(units []uint16, nodes []psNode) int {
	for _, x := range nodes {
		if x.kind == "verbatim_string_characters" || x.kind == "comment" {
			for j := x.start; j < x.end; j++ {
				units[j] = ' '
			}
		}
	}
	return slices.Index(units, '`')
}

// overNothing says what is wrong with a foreach: in 1.0 it runs once over $null,
// which an empty array may have become on its way, so its body is one if that
// asks first. Source: Bruce Payette on 1.0, quoted in "Does it loop"
// (blog.wahlmueller.it). What comes by stdin is the exception.
func overNothing(nodes []psNode, i int) string {
	var of []psNode // the loop's variable and what it goes over
	var body []string
	for _, x := range nodes[i+1:] {
		if x.depth <= nodes[i].depth {
			break
		}
		if x.kind == "variable" {
			of = append(of, x)
		}
		if x.depth == nodes[i].depth+3 && nodes[nodes[x.parent].parent].kind == "statement_block" && nodes[nodes[nodes[x.parent].parent].parent].start == nodes[i].start {
			body = append(body, x.text)
		}
	}
	if len(of) > 1 && of[1].text == "$input" {
		return ""
	}
	if want := "if (" + of[0].text + " -ne $null) {"; len(body) != 1 || !strings.HasPrefix(body[0], want) {
		return "the body of foreach is not one " + want + " ... }: over nothing it runs once in PowerShell 1.0"
	}
	return ""
}

func has(m map[string]string, key string) bool {
	_, ok := m[key]
	return ok
}

// castInList reports whether a cast is an element of a list, which the
// arguments of New-Object Type(a, b) are, too, other than those of a method.
func castInList(nodes []psNode, i int) bool {
	for p := nodes[i].parent; p >= 0; p = nodes[p].parent {
		switch kind := nodes[p].kind; {
		case kind == "array_literal_expression" && strings.Count(nodes[p].text, ",") > 0 && nodes[p].text != nodes[i].text:
			return true
		case kind == "argument_list":
			return nodes[nodes[p].parent].kind == "command_elements" && nodes[p].text != "("+nodes[i].text+")"
		case !strings.HasSuffix(kind, "_expression") && kind != "expression_with_unary_operator" && kind != "argument_expression_list" && kind != "argument_expression", kind == "parenthesized_expression", kind == "invokation_expression":
			return false
		}
	}
	return false
}

// assignable reports whether a left side is a variable, a property or an element.
func assignable(nodes []psNode, i int) bool {
	for _, x := range nodes[i+1:] {
		switch {
		case x.start != nodes[i].start || x.end != nodes[i].end:
			return false
		case x.kind == "variable", x.kind == "member_access", x.kind == "element_access":
			return true
		}
	}
	return false
}

// declares reports whether a variable is set there: a parameter, a loop's
// variable or the left side of an assignment that is nothing but it.
func declares(nodes []psNode, i int) bool {
	x := nodes[i]
	for p := x.parent; p >= 0; p = nodes[p].parent {
		switch nodes[p].kind {
		case "script_parameter", "left_assignment_expression":
			return nodes[p].end == x.end
		case "foreach_statement":
			return true
		case "unary_expression", "array_literal_expression", "range_expression", "format_expression", "multiplicative_expression", "additive_expression",
			"comparison_expression", "bitwise_expression", "logical_expression":
			if nodes[p].start != x.start || nodes[p].end != x.end {
				return false
			}
		default:
			return false
		}
	}
	return false
}

// notCommand1 checks a command: a function of the script, or a cmdlet with its
// parameters.
func notCommand1(nodes []psNode, i int, known map[string]bool, complain func(psNode, string, ...any)) {
	command := nodes[i]
	name, parameters := "", []string(nil)
	var bare []psNode
	for _, x := range nodes[i+1:] {
		if x.depth <= command.depth {
			break
		}
		switch {
		case x.kind == "command_name" && x.depth == command.depth+1:
			name = x.text
		case x.kind == "command_parameter" && x.depth == command.depth+2:
			parameters = append(parameters, x.text)
		case x.kind == "generic_token" && x.depth == command.depth+2:
			bare = append(bare, x)
		}
	}
	if what := takenName(name); what != "" {
		complain(command, "command %s %s", name, what)
	}
	wants, cmdlet := psCmdlets[name]
	switch {
	case cmdlet:
	case known[strings.ToLower(name)]:
		if len(parameters) > 0 || len(bare) > 0 {
			complain(command, "%s is called with a bare word or a parameter's name", name)
		}
		return
	default:
		complain(command, "command %q is not in the list%s", name, since(name))
		return
	}
	for _, p := range parameters {
		if !slices.Contains(wants, p) {
			complain(command, "%s %s is not in the list", name, p)
		}
	}
	if name == "New-Object" {
		list := netNew
		if slices.Contains(parameters, "-ComObject") {
			list = comNew
		}
		if len(bare) != 1 || !list[bare[0].text] {
			complain(command, "New-Object: %v is not in the list", texts(bare))
		}
	} else if len(bare) > 0 {
		complain(command, "%s: bare word %v", name, texts(bare))
	}
}

func texts(nodes []psNode) []string {
	var out []string
	for _, x := range nodes {
		out = append(out, x.text)
	}
	return out
}

func since(name string) string {
	if cmdlets1[strings.ToLower(name)] {
		return ": PowerShell 1.0 has it, its parameters were not looked up"
	}
	return ", nor among the cmdlets of PowerShell 1.0"
}
