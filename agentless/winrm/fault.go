package winrm

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Fault codes that decisions are made on. Sources: MS-WSMV, MS-WSMAN and
// answers recorded from hosts.
const (
	CodeTimedOut        uint32 = 2150858793 // 0x80338029: nothing within OperationTimeout; ask again
	CodeGone            uint32 = 2150858843 // 0x8033805B: shell or command id unknown: restarted or idled out
	CodeFilter          uint32 = 2150858778 // bad WQL or class
	CodeBadTimeout      uint32 = 2150858767
	CodeShellQuota      uint32 = 2150859173 // 0x803381A5: shells per user
	CodeOperationQuota  uint32 = 2150859174 // 0x803381A6: operations per user
	CodeRequestQuota    uint32 = 2150859175 // 0x803381A7: requests per user in a time
	CodeSystemQuota     uint32 = 2150859176 // 0x803381A8: requests of all users
	CodeUserQuota       uint32 = 2150859179 // 0x803381AB: users with shells
	CodeQuota           uint32 = 2150858815 // 0x8033803F ERROR_WSMAN_QUOTA_LIMIT, a quota without a name
	CodeEnvelopeWish    uint32 = 2150858823 // 0x80338047: MaxEnvelopeSize asked for is too large
	CodeEnvelope        uint32 = 2150858824 // 0x80338048: the answer is larger than we asked for
	CodeEnvelopeLimit   uint32 = 2150858825 // 0x80338049: larger than the host's own limit
	CodeNoResource      uint32 = 2150858752 // 0x80338000: no such resource
	CodeShellsForbidden uint32 = 2150859180 // 0x803381AC ERROR_WSMAN_REMOTESHELLS_NOT_ALLOWED
	CodeWMIDenied       uint32 = 2150859012 // 0x80338104 ERROR_WSMAN_WMI_SVC_ACCESS_DENIED
	CodeWMIProvider     uint32 = 2150859013 // 0x80338105 ERROR_WSMAN_WMI_PROVIDER_ACCESS_DENIED
	CodeWMIConnect      uint32 = 2150859014 // 0x80338106 ERROR_WSMAN_WMI_CANNOT_CONNECT_ACCESS_DENIED
	CodeSchema          uint32 = 2150858817 // 0x80338041: the XML is not as the schema says
	CodeCodePage        uint32 = 2150859072 // 0x80338140 ERROR_WINRS_CODE_PAGE_NOT_SUPPORTED, on Create
	CodeAccessDenied    uint32 = 5
	CodeAccessDeniedHR  uint32 = 2147942405 // 0x80070005
	CodeParameter       uint32 = 87
	CodeParameterHR     uint32 = 2147942487 // 0x80070057
	CodeFileNotFound    uint32 = 2147942402 // 0x80070002: WINRS_SKIP_CMD_SHELL and no such program
	CodePathNotFound    uint32 = 2147942403 // 0x80070003
	CodeNotExecutable   uint32 = 2147942593 // 0x800700C1
	CodeLineTooLong     uint32 = 2147942606 // 0x800700CE
	CodeKeyDeleted      uint32 = 2147943418 // 0x800703FA: profile being unloaded, on Create
	CodeElevationNeeded uint32 = 2147943140 // 0x800702E4
)

// Fault is an answer other than 200 OK, or a SOAP fault. Code is what to
// decide on; Reason is the host's text, in the host's language, for people
// only.
type Fault struct {
	Code       uint32 // of WSManFault or MSFT_WmiError; 0 when there was none
	Blame      string // "Sender" or "Receiver"; empty when it was no SOAP fault
	Subcode    string // such as "TimedOut", without prefix
	Reason     string
	Provider   string // such as "Shell cmd plugin"
	Action     string
	HTTPStatus int
}

// Error says code, status, what they mean and the host's words.
func (f *Fault) Error() string {
	var b strings.Builder
	switch {
	case f.Blame == "":
		fmt.Fprintf(&b, "http status %d %s", f.HTTPStatus, http.StatusText(f.HTTPStatus))
	case f.Code != 0:
		fmt.Fprintf(&b, "wsman fault %d", f.Code)
	default:
		b.WriteString("soap fault")
	}
	if f.Subcode != "" {
		fmt.Fprintf(&b, " (%s)", f.Subcode)
	}
	if f.Blame != "" && f.HTTPStatus != http.StatusOK {
		fmt.Fprintf(&b, ", http status %d", f.HTTPStatus)
	}
	// What was added to a status is said in its place.
	if meaning := f.Meaning(); meaning != "" && (f.Blame != "" || f.Reason == "") {
		b.WriteString(": " + meaning)
		if f.Reason != "" {
			fmt.Fprintf(&b, "; the host says: %s", f.Reason)
		}
		return b.String()
	}
	if f.Reason != "" {
		b.WriteString(": " + f.Reason)
	}
	return b.String()
}

// Is reports access faults as ErrDenied.
func (f *Fault) Is(target error) bool {
	if target != ErrDenied {
		return false
	}
	switch {
	case f.HTTPStatus == http.StatusUnauthorized, f.HTTPStatus == http.StatusForbidden:
		return true
	case f.Code == CodeAccessDenied, f.Code == CodeAccessDeniedHR, f.Code == CodeShellsForbidden,
		f.Code == CodeWMIDenied, f.Code == CodeWMIProvider, f.Code == CodeWMIConnect:
		return true
	default:
		return f.Subcode == "AccessDenied"
	}
}

// NothingRan reports whether this fault, as the answer to a Command request,
// proves that the command was not started: the host blames the request, or
// says why it could not start the program.
func (f *Fault) NothingRan() bool {
	if f.Code == CodeTimedOut || f.Subcode == "TimedOut" {
		return false
	}
	if f.Blame == "Sender" {
		return true
	}
	switch f.Code {
	case CodeGone, CodeFilter, CodeBadTimeout, CodeShellQuota, CodeOperationQuota, CodeRequestQuota, CodeSystemQuota, CodeUserQuota, CodeNoResource,
		CodeAccessDenied, CodeAccessDeniedHR, CodeParameter, CodeParameterHR, CodeFileNotFound,
		CodePathNotFound, CodeNotExecutable, CodeLineTooLong, CodeKeyDeleted, CodeElevationNeeded:
		return true
	default:
		return f.Is(ErrDenied)
	}
}

// FaultCode is the WSMan code inside an error; false when there is none.
func FaultCode(err error) (uint32, bool) {
	var f *Fault
	if errors.As(err, &f) && f.Code != 0 {
		return f.Code, true
	}
	return 0, false
}

// faultOf reads a SOAP fault; nil when the envelope holds none.
func faultOf(envelope *node, status int) *Fault {
	body := envelope.child("Body")
	soapFault := body.child("Fault")
	if soapFault == nil {
		return nil
	}
	f := &Fault{HTTPStatus: status, Action: envelope.child("Header").child("Action").brief()}
	code := soapFault.child("Code")
	f.Blame = afterColon(code.child("Value").brief())
	f.Subcode = afterColon(code.child("Subcode").child("Value").brief())
	f.Reason = soapFault.child("Reason").child("Text").brief()
	detail := soapFault.child("Detail")
	if wsman := detail.find("WSManFault"); wsman != nil {
		f.Code = code32(wsman.attr("Code"))
		f.Provider = cut(strings.TrimSpace(wsman.find("ProviderFault").attr("provider")))
	}
	if wmi := detail.find("MSFT_WmiError"); wmi != nil && f.Code == 0 {
		f.Code = code32(wmi.child("error_Code").words())
		f.Provider = "WMI"
	}
	if f.Blame == "" {
		f.Blame = "Receiver"
	}
	return f
}

func afterColon(qname string) string {
	return qname[strings.LastIndexByte(qname, ':')+1:]
}

// code32 reads an unsigned or a signed 32-bit code; 0 when it is neither.
func code32(s string) uint32 {
	if u, err := strconv.ParseUint(s, 10, 32); err == nil {
		return uint32(u)
	}
	if i, err := strconv.ParseInt(s, 10, 32); err == nil {
		return uint32(int32(i))
	}
	return 0
}
