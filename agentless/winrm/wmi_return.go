package winrm

import (
	"fmt"
	"strings"
)

// ReturnError is a WMI method that ran and says that it did not do its work.
type ReturnError struct {
	Class, Method string
	Code          int64 // ReturnValue
	Missing       bool  // there was no ReturnValue
}

// Error says the code in words where it is known.
func (r *ReturnError) Error() string {
	if r.Missing {
		return fmt.Sprintf("%s.%s returned no code", r.Class, r.Method)
	}
	if words := r.Words(); words != "" {
		return fmt.Sprintf("%s.%s returned %d: %s", r.Class, r.Method, r.Code, words)
	}
	return fmt.Sprintf("%s.%s returned %d", r.Class, r.Method, r.Code)
}

// Is reports the codes that mean "access denied" as ErrDenied.
func (r *ReturnError) Is(target error) bool {
	return target == ErrDenied && !r.Missing && strings.HasPrefix(r.Words(), "access denied")
}

// Returned is nil for a method's output that says that it did its work (0), and
// a *ReturnError otherwise. class may be a resource such as
// root/default/StdRegProv.
func Returned(class, method string, out Instance) error {
	code, ok := out.Int("ReturnValue")
	if ok && code == 0 {
		return nil
	}
	return &ReturnError{Class: class[strings.LastIndexByte(class, '/')+1:], Method: method, Code: code, Missing: !ok}
}

// Words are what the code means, which depends on the class; "" when it is not
// known. Sources: the pages of these methods (Win32_Service.StartService,
// Win32_Process.GetOwner, Win32_OperatingSystem.Reboot), and for StdRegProv and
// everything else the codes of winerror.h and wbemcli.h.
func (r *ReturnError) Words() string {
	if words, ok := returnWords[strings.ToLower(r.Class)][r.Code]; ok {
		return words
	}
	return winWords[uint32(r.Code)]
}

var winWords = map[uint32]string{
	1:   "it cannot be done this way", // ERROR_INVALID_FUNCTION; StdRegProv for a value that is not there, among others
	2:   "there is no such key, value or file",
	3:   "there is no such path",
	5:   "access denied",
	6:   "the handle is invalid",
	8:   "the host has too little memory",
	13:  "the data is invalid",
	32:  "another program uses it",
	50:  "it is not supported",
	87:  "a value is wrong",
	234: "there is more data than was asked for",
	259: "there is no more data",
	// 32-bit codes of WMI, as ReturnValue carries them.
	0x80041001: "WMI failed without a reason",
	0x80041002: "there is no such object",
	0x80041003: "access denied by WMI",
	0x80041008: "a value is wrong",
	0x8004100C: "it is not supported",
	0x80041010: "there is no such class",
}

var service = map[int64]string{
	1: "it is not supported", 2: "access denied", 3: "running services depend on it", 4: "the service does not take this request", 5: "the service does not take it in its state",
	6: "the service did not run", 7: "the service did not answer in time", 8: "the service failed", 9: "the path of its program is wrong", 10: "it runs already",
	11: "the service database is locked", 12: "a service that it depends on is not there", 13: "a service that it depends on did not start", 14: "it is disabled", 15: "its account cannot log on",
	16: "it is being deleted", 17: "it has no thread of its own", 18: "services depend on each other in a circle", 19: "the name is there already", 20: "the name holds characters that it may not",
	21: "a value is wrong", 22: "its account is wrong", 23: "the service is there already", 24: "it is paused",
}

var returnWords = map[string]map[int64]string{
	"win32_service":         service,
	"win32_baseservice":     service,
	"win32_process":         {2: "access denied", 3: "the privilege is missing", 8: "it failed without a reason", 9: "there is no such path", 21: "a value is wrong"},
	"win32_operatingsystem": {5: "access denied", 1314: "access denied: the privilege is missing", 1115: "the host is shutting down already", 1190: "a shutdown is planned already", 21: "a value is wrong"},
}
