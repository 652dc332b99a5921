package twin

import (
	"fmt"
	"strconv"
	"strings"
)

// stdRegProvURI is the class's resource URI as answers spell it.
const stdRegProvURI = wmiRoot + "root/default/StdRegProv"

var hiveNumbers = map[uint64]string{
	0x80000000: "HKCR", 0x80000001: "HKCU", 0x80000002: "HKLM", 0x80000003: "HKU",
}

// wbemTypeMismatch is what reading a value as another type answers [K].
const wbemTypeMismatch = 0x80041005

// regNoValue is what reading a value answers whose key is there [K].
const regNoValue = 1

// stdRegProv answers a method of the registry provider. On x64 WinRM runs as a
// 64-bit process, so the 64-bit view is what it sees.
func (h *host) stdRegProv(r *request) (reply, *fault) {
	i := strings.LastIndex(r.action, "/")
	method := r.action[i+1:]
	in := r.first()
	if in == nil || !strings.EqualFold(in.name, method+"_INPUT") {
		return reply{}, faultSchema()
	}
	var out instance
	known := true
	run := func() { out, known = h.regMethod(r.user, method, in) }
	if strings.HasPrefix(method, "Get") || strings.HasPrefix(method, "Enum") || method == "CheckAccess" {
		h.look(run)
	} else {
		h.update(run)
	}
	if !known {
		return reply{}, faultAction()
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<p:%s_OUTPUT xmlns:xsi="%s" xmlns:p="%s" xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common" xsi:type="p:%s_OUTPUT">`,
		method, nsXSI, stdRegProvURI, method)
	for _, p := range out {
		switch v := p.value.(type) {
		case nil:
			fmt.Fprintf(&b, `<p:%s xsi:nil="true"/>`, p.name)
		case []string:
			for _, one := range v {
				fmt.Fprintf(&b, `<p:%s>%s</p:%s>`, p.name, escape(one), p.name)
			}
		default:
			fmt.Fprintf(&b, `<p:%s>%s</p:%s>`, p.name, escape(fmt.Sprint(v)), p.name)
		}
	}
	fmt.Fprintf(&b, `</p:%s_OUTPUT>`, method)
	return reply{action: stdRegProvURI + "/" + method + "Response", spaces: spaceW + spaceP, body: b.String()}, nil
}

// regMethod runs one method; the caller holds the lock.
func (h *host) regMethod(user, method string, in *element) (instance, bool) {
	hive := uint64(0x80000002)
	if n, err := strconv.ParseInt(in.child("hDefKey").value(), 10, 64); err == nil {
		hive = uint64(uint32(n)) // signed numbers are seen too
	}
	sub := strings.Trim(in.child("sSubKeyName").value(), `\`)
	path := h.regPath(hiveNumbers[hive]+`\`+sub, h.winrmAccount(user).sid)
	h.serviceKey(path)
	name := in.child("sValueName").value()
	exists := path != "" && h.regHas(path)
	code := func(n int) instance { return instance{{"ReturnValue", n}} }
	read := func(field string, kind int, value func(*regValue) any) instance {
		if !exists {
			return instance{{"ReturnValue", regNotFound}, {field, nil}}
		}
		v := h.regGet(path, name)
		switch {
		case v == nil:
			return instance{{"ReturnValue", regNoValue}, {field, nil}}
		case v.Type != kind && (kind != regSZ || v.Type != regExpandSZ):
			return instance{{"ReturnValue", wbemTypeMismatch}, {field, nil}}
		}
		return instance{{"ReturnValue", regOK}, {field, value(v)}}
	}
	write := func(v regValue) instance {
		if path == "" || !exists {
			return code(regNotFound)
		}
		v.Name = name
		h.regSet(path, v)
		return code(regOK)
	}
	asText := func(v *regValue) any { return v.Text }
	switch method {
	case "EnumKey":
		if !exists {
			return instance{{"ReturnValue", regNotFound}, {"sNames", nil}}, true
		}
		return instance{{"ReturnValue", regOK}, {"sNames", orNil(h.regSubkeys(path))}}, true
	case "EnumValues":
		if !exists {
			return instance{{"ReturnValue", regNotFound}, {"sNames", nil}, {"Types", nil}}, true
		}
		var names, types []string
		for _, v := range h.regValues(path) {
			names, types = append(names, v.Name), append(types, strconv.Itoa(v.Type))
		}
		return instance{{"ReturnValue", regOK}, {"sNames", orNil(names)}, {"Types", orNil(types)}}, true
	case "GetStringValue":
		return read("sValue", regSZ, asText), true
	case "GetExpandedStringValue":
		return read("sValue", regExpandSZ, asText), true
	case "GetDWORDValue":
		return read("uValue", regDWORD, func(v *regValue) any { return v.Number }), true
	case "GetMultiStringValue":
		return read("sValue", regMultiSZ, func(v *regValue) any { return orNil(v.Many) }), true
	case "GetBinaryValue":
		return read("uValue", regBinary, func(v *regValue) any {
			var all []string
			for _, b := range v.Bytes {
				all = append(all, strconv.Itoa(int(b)))
			}
			return orNil(all)
		}), true
	case "SetStringValue":
		return write(regValue{Type: regSZ, Text: in.child("sValue").value()}), true
	case "SetExpandedStringValue":
		return write(regValue{Type: regExpandSZ, Text: in.child("sValue").value()}), true
	case "SetDWORDValue":
		n, err := strconv.ParseInt(in.child("uValue").value(), 10, 64)
		if err != nil {
			return code(wbemTypeMismatch), true
		}
		return write(regValue{Type: regDWORD, Number: uint32(n)}), true
	case "SetMultiStringValue":
		var all []string
		for _, e := range in.all("sValue") {
			all = append(all, e.text)
		}
		return write(regValue{Type: regMultiSZ, Many: all}), true
	case "SetBinaryValue":
		var all []byte
		for _, e := range in.all("uValue") {
			all = append(all, byte(atoi(e.text)))
		}
		return write(regValue{Type: regBinary, Bytes: all}), true
	case "CreateKey":
		if path == "" {
			return code(regNotFound), true
		}
		h.regMake(path)
		return code(regOK), true
	case "DeleteKey":
		switch {
		case !exists:
			return code(regNotFound), true
		case len(h.regSubkeys(path)) > 0:
			return code(regDenied), true // RegDeleteKey refuses a key that has subkeys
		}
		h.regDeleteKey(path)
		return code(regOK), true
	case "DeleteValue":
		if !exists || !h.regDelete(path, name) {
			return code(regNotFound), true
		}
		return code(regOK), true
	case "CheckAccess":
		if !exists {
			return instance{{"bGranted", false}, {"ReturnValue", regNotFound}}, true
		}
		return instance{{"bGranted", true}, {"ReturnValue", regOK}}, true
	}
	return nil, false
}

// orNil is null for an empty list.
func orNil(all []string) any {
	if len(all) == 0 {
		return nil
	}
	return all
}
