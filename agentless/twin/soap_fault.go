package twin

import "fmt"

// fault is a SOAP fault with the WSMan code that clients decide by. The shapes
// are those of the recorded faults.
type fault struct {
	action   string // default wsmanFault
	sender   bool   // s:Sender, else s:Receiver
	subcode  string
	detail   string // w:FaultDetail, may be empty
	code     uint32
	text     string
	provider string // name of the provider fault, may be empty
	path     string
	inner    string // text of a nested WSManFault (WMI)
}

const wsmanFault = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"

const faultDetail = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/"

// The codes are win32 or WSMan errors as unsigned numbers; the numbers are in
// the recorded faults or, where marked K, known from issue threads only.
func faultTimedOut() *fault {
	return &fault{
		subcode: "w:TimedOut", code: 2150858793,
		text: "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  ",
	}
}

func faultNoShell() *fault {
	return &fault{
		sender: true, subcode: "w:InvalidSelectors", code: 2150858843, detail: faultDetail + "UnexpectedSelectors",
		text: "The request for the Windows Remote Shell with ShellId failed because the shell was not found on the server. " +
			"Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. " +
			"Provide the correct ShellId or create a new shell and retry the operation. ",
	}
}

func faultNoCommand() *fault {
	return &fault{
		sender: true, subcode: "w:InvalidSelectors", code: 2150858843, detail: faultDetail + "UnexpectedSelectors",
		text: "The Windows Remote Shell received a request to perform an operation on a command identifier that does not exist. " +
			"Either the command has completed execution or the client specified an invalid command identifier. ",
	}
}

func faultShellQuota() *fault { // K: text from winrm issue threads
	return &fault{
		sender: true, subcode: "w:QuotaLimit", code: 2150859173,
		text: "The WS-Management service cannot process the request. This user is allowed a maximum number of 5 concurrent shells, " +
			"which has been exceeded. Close existing shells or raise the quota for this user. ",
	}
}

func faultOperationQuota() *fault { // K
	return &fault{
		sender: true, subcode: "w:QuotaLimit", code: 2150859174,
		text: "The WS-Management service cannot process the request. The maximum number of concurrent operations for this user " +
			"has been exceeded. Close existing operations for this user, or raise the quota for this user. ",
	}
}

func faultAccess() *fault { // K: the code is ERROR_ACCESS_DENIED itself, as winrm.vbs shows it
	return &fault{sender: true, subcode: "w:AccessDenied", code: 5, text: "Access is denied. "}
}

func faultUserQuota() *fault { // the code is ERROR_WSMAN_QUOTA_MAX_SHELLUSERS of wsmerror.h; K for the text
	return &fault{
		sender: true, subcode: "w:QuotaLimit", code: 2150859179,
		text: "The WS-Management service cannot process the request. The maximum number of concurrent shell users has been exceeded. " +
			"Retry later or raise the quota for concurrent shell users. ",
	}
}

func faultProcessQuota() *fault { // K: a job object's limit is ERROR_NOT_ENOUGH_QUOTA, 1816, as an HRESULT
	return &fault{
		subcode: "w:InternalError", code: 2147944216,
		text: "Not enough quota is available to process this command. ", provider: "Shell cmd plugin", path: `%systemroot%\system32\winrscmd.dll`,
	}
}

func faultParameter() *fault {
	return &fault{
		sender: true, subcode: "w:InvalidParameter", code: 87, detail: faultDetail + "InvalidValue",
		text: "The parameter is incorrect. ", provider: "Shell cmd plugin", path: `%systemroot%\system32\winrscmd.dll`,
	}
}

func faultFileNotFound() *fault {
	return &fault{
		subcode: "w:InternalError", code: 2147942402,
		text: "The system cannot find the file specified. ", provider: "Shell cmd plugin", path: `%systemroot%\system32\winrscmd.dll`,
	}
}

func faultLineTooLong() *fault {
	return &fault{
		subcode: "w:InternalError", code: 2147942606,
		text: "The filename or extension is too long. ", provider: "Shell cmd plugin", path: `%systemroot%\system32\winrscmd.dll`,
	}
}

func faultBadTimeout() *fault {
	return &fault{
		sender: true, subcode: "w:InvalidParameter", code: 2150858767, detail: faultDetail + "InvalidValue",
		text: "The WS-Management service cannot process the request because the OperationTimeout value is invalid. ",
	}
}

func faultAction() *fault { // K
	return &fault{
		sender: true, subcode: "a:ActionNotSupported", code: 2150858751,
		action: "http://schemas.xmlsoap.org/ws/2004/08/addressing/fault",
		text:   "The action is not supported by the service. ",
	}
}

func faultResource() *fault { // K
	return &fault{
		sender: true, subcode: "a:DestinationUnreachable", code: 2150858752, detail: faultDetail + "InvalidResourceURI",
		action: "http://schemas.xmlsoap.org/ws/2004/08/addressing/fault",
		text:   "The WS-Management service cannot process the request. The resource URI is missing or it has an incorrect format. ",
	}
}

func faultSchema() *fault { // K
	return &fault{
		sender: true, subcode: "w:SchemaValidationError", code: 2150858817,
		text: "The WS-Management service cannot process the request because the XML is invalid. ",
	}
}

func faultFilter(text string) *fault {
	return &fault{
		action: enumerating + "/fault", sender: true, subcode: "n:CannotProcessFilter", code: 2150858778,
		text: "The data source could not process the filter. The filter might be missing or it might be invalid. " +
			"Change the filter and try the request again. ",
		provider: "WMI Provider", path: `%systemroot%\system32\WsmWmiPl.dll`, inner: text,
	}
}

func faultContext() *fault { // K
	return &fault{
		action: enumerating + "/fault", subcode: "n:InvalidEnumerationContext", code: 2150858754,
		text: "The supplied enumeration context is invalid. ",
	}
}

func faultNotFound() *fault { // K: WBEM_E_NOT_FOUND through the WMI plugin
	return &fault{
		sender: true, subcode: "w:InvalidSelectors", code: 2150858752,
		text: "The WS-Management service cannot process the request. The service cannot find the resource identified by the resource URI and selectors. ",
	}
}

// reply writes the fault.
func (f *fault) reply(machine string) reply {
	action, who, detail := f.action, "s:Receiver", ""
	if action == "" {
		action = wsmanFault
	}
	if f.sender {
		who = "s:Sender"
	}
	if f.detail != "" {
		detail = "<w:FaultDetail>" + f.detail + "</w:FaultDetail>"
	}
	message := escape(f.text)
	const space = `xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"`
	if f.inner != "" {
		message = fmt.Sprintf(`<f:WSManFault %s Code="%d" Machine="%s" xml:lang="en-US"><f:Message>%s</f:Message></f:WSManFault>`,
			space, f.code, escape(machine), escape(f.inner))
	}
	if f.provider != "" {
		message = fmt.Sprintf(`<f:ProviderFault provider="%s" path="%s">%s</f:ProviderFault>`, f.provider, escape(f.path), message)
	}
	return reply{
		status: 500, action: action, spaces: spaceX + spaceE + spaceN + spaceW + spaceP,
		body: fmt.Sprintf(`<s:Fault><s:Code><s:Value>%s</s:Value><s:Subcode><s:Value>%s</s:Value></s:Subcode></s:Code>`+
			`<s:Reason><s:Text xml:lang="en-US">%s</s:Text></s:Reason><s:Detail>%s`+
			`<f:WSManFault %s Code="%d" Machine="%s"><f:Message>%s</f:Message></f:WSManFault></s:Detail></s:Fault>`,
			who, f.subcode, escape(f.text), detail, space, f.code, escape(machine), message),
	}
}
