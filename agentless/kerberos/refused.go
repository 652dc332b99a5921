package kerberos

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/messages"
)

// maxSkew is how far clocks may differ: the default of Active Directory and MIT.
const maxSkew = 5 * time.Minute

// refused turns a KRB-ERROR into words. who asked whom for what.
func (c *Client) refused(k *messages.KRBError, kdc, what string) *Error {
	offset := c.offset(k)
	e := &Error{Code: k.ErrorCode, Offset: offset}
	who := c.cname.PrincipalNameString() + "@" + c.realm
	switch k.ErrorCode {
	case errorcode.KDC_ERR_PREAUTH_FAILED:
		e.Kind, e.Text = ErrPassword, fmt.Sprintf("KDC %s refused the %s of %s; it was tried once and is not tried again until it is changed", kdc, c.secret(), who)
	case errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN:
		e.Kind, e.Text = ErrAccount, fmt.Sprintf("KDC %s has no account %s; check the name and its realm", kdc, who)
	case errorcode.KDC_ERR_CLIENT_REVOKED:
		e.Kind, e.Text = ErrAccount, fmt.Sprintf("%s is locked or disabled (KDC %s); unlock it in the directory", who, kdc)
	case errorcode.KDC_ERR_KEY_EXPIRED:
		e.Kind, e.Text = ErrAccount, fmt.Sprintf("the password of %s has expired (KDC %s); set a new one", who, kdc)
	case errorcode.KDC_ERR_NAME_EXP:
		e.Kind, e.Text = ErrAccount, fmt.Sprintf("account %s has expired (KDC %s)", who, kdc)
	case errorcode.KDC_ERR_WRONG_REALM:
		e.Kind, e.Text = ErrRealm, fmt.Sprintf("KDC %s does not serve realm %s, it answers for %s; set realm and kdc of the same domain", kdc, c.realm, said(k.CRealm))
	case errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN, errorcode.KDC_ERR_S_OLD_MAST_KVNO:
		e.Kind, e.Text = ErrService, fmt.Sprintf("KDC %s has no service %s; use the host's full DNS name as the directory knows it, or register it (setspn -L HOST lists them)", kdc, what)
	case errorcode.KRB_AP_ERR_SKEW:
		e.Kind, e.Text = ErrSkew, fmt.Sprintf("the clock here is %s KDC %s (allowed: %s); correct the time here or there", behind(offset), kdc, maxSkew)
	case errorcode.KDC_ERR_ETYPE_NOSUPP:
		e.Kind, e.Text = ErrEncryption, fmt.Sprintf("KDC %s and we share no encryption type for %s; we offer %s (a KDC without RC4 cannot serve Windows Server 2003)", kdc, what, etypeNames(c.etypes))
	case errorcode.KRB_AP_ERR_TKT_EXPIRED:
		e.Kind, e.Text = ErrCache, fmt.Sprintf("KDC %s calls the ticket of %s expired", kdc, who)
	default:
		e.Kind, e.Text = ErrConfig, fmt.Sprintf("KDC %s answered %s for %s (%s)", kdc, errorcode.Lookup(k.ErrorCode), what, said(k.EText))
	}
	return e
}

// rejected is a KRB-ERROR of the host (not of a KDC) in words.
func (c *Client) rejected(k *messages.KRBError, spn string) error {
	off := c.offset(k)
	switch k.ErrorCode {
	case 37:
		return &Error{Kind: ErrSkew, Code: k.ErrorCode, Offset: off, Text: fmt.Sprintf("the clock here is %s that of %s (allowed: %s); correct the time here or there", behind(off), spn, maxSkew)}
	case 31, 35, 41, 44, 45:
		c.Forget(spn)
		return &Error{Kind: ErrHost, Code: k.ErrorCode, Offset: off, Text: fmt.Sprintf("%s cannot open its ticket: the name belongs to another account or computer (setspn -Q shows whose; WSMAN/ or HTTP/HOST:PORT may be free), or its key changed", spn)}
	}
	if k.ErrorCode == 60 { // KRB_ERR_GENERIC: MIT's word for a wrong channel binding
		return &Error{Kind: ErrHost, Code: k.ErrorCode, Offset: off, Text: fmt.Sprintf("%s refused the ticket without a reason %s; over https: is there a proxy that ends TLS between here and the host?", spn, said(k.EText))}
	}
	return &Error{Kind: ErrHost, Code: k.ErrorCode, Offset: off, Text: fmt.Sprintf("%s refused the ticket: KRB-ERROR %d %s", spn, k.ErrorCode, said(k.EText))}
}

// said is a text that a KDC or a host sent, for messages: what cannot be printed
// is left out, so that no terminal obeys it, and it is short.
func said(text string) string {
	const most = 120
	var b strings.Builder
	for _, r := range text {
		if b.Len() >= most {
			b.WriteString(" ...")
			break
		}
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// offset is the answering clock minus ours.
func (c *Client) offset(k *messages.KRBError) time.Duration {
	return k.STime.Add(time.Duration(k.Susec) * time.Microsecond).Sub(c.now())
}

// behind says an offset from our side.
func behind(offset time.Duration) string {
	offset = offset.Round(time.Second)
	if offset >= 0 {
		return offset.String() + " behind"
	}
	return (-offset).String() + " ahead of"
}

func etypeNames(ids []int32) string {
	s := ""
	for _, id := range ids {
		if s != "" {
			s += ", "
		}
		s += etypeName(id)
	}
	return s
}

func etypeName(id int32) string {
	switch id {
	case 1, 3:
		return "DES"
	case 16:
		return "3DES"
	case 17:
		return "AES128"
	case 18:
		return "AES256"
	case 19:
		return "AES128-SHA256"
	case 20:
		return "AES256-SHA384"
	case 23:
		return "RC4"
	}
	return fmt.Sprintf("type %d", id)
}
