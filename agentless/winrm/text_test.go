package winrm

import (
	"testing"
	"time"
)

func TestCharactersSplitOverAnswersAreJoined(t *testing.T) {
	t.Parallel()
	text := []byte("Größe 日本\r\n")
	running := answer(200, soapBody(`<rsp:ReceiveResponse>`+stream("stdout", text[:3])+stream("stdout", text[3:4])+`</rsp:ReceiveResponse>`))
	rest := answer(200, soapBody(`<rsp:ReceiveResponse>`+stream("stdout", text[4:9])+stream("stdout", text[9:])+commandDone(0)+`</rsp:ReceiveResponse>`))
	h := newFakeHost(t).on("Identify", answer(200, identifyResponse("OS: 6.1.7601 SP: 1.0 Stack: 2.0"))).on("Receive", inTurn(running, rest))
	got, err := h.dial(t).Run(withDeadline(t, 5*time.Second), Command{Line: "type x"})
	if err != nil {
		t.Fatal(err)
	}
	if stdout, _ := got.Text(); stdout != string(text) || !got.Valid() {
		t.Errorf("stdout %q, valid %v", stdout, got.Valid())
	}
}

func TestCodePagesAreDecoded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		page  int
		bytes string
		want  string
		valid bool
	}{
		{437, "Gr\x94\xE1e", "Größe", true},
		{850, "\x9B", "ø", true},
		{932, "\x93\xFA\x96\x7B", "日本", true},
		{65001, "Größe", "Größe", true},
		{65001, "Gr\x94\xE1e", "Gr\uFFFDe", false},
		{1252, "\x81", "\uFFFD", false},
		{932, "\x93", "\uFFFD", false},
	} {
		r := Result{CodePage: test.page, Stdout: []byte(test.bytes)}
		if got, _ := r.Text(); got != test.want || r.Valid() != test.valid {
			t.Errorf("code page %d, %q = %q, %v, want %q, %v", test.page, test.bytes, got, r.Valid(), test.want, test.valid)
		}
	}
}

func TestPowerShellsErrorsAreReadable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain _x000D_ text": "plain _x000D_ text",
		"#< CLIXML\r\n<Objs Version=\"1.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\"><Obj S=\"progress\"><S>x</S></Obj><S S=\"Error\">no such_x000D__x000A_</S><S S=\"Error\">a &lt; b _xD83D__xDE00_ _x12_</S></Objs>": "no such\r\na < b 😀 _x12_",
		"before\n#< CLIXML\n<Objs><S S=\"Error\">one</S></Objs>between<Objs><S S=\"warning\">w</S><S S=\"Error\">two</S></Objs>after":                                                                                                    "before\nonebetweentwoafter",
		"#< CLIXML\r\n<Objs><S S=\"Error\">cut": "<Objs><S S=\"Error\">cut",
		"#< CLIXML\r\n<Objs><broken></Objs>":    "#< CLIXML\r\n<Objs><broken></Objs>",
	} {
		if got := plainErrors(in); got != want {
			t.Errorf("plainErrors(%q)\n = %q\nwant %q", in, got, want)
		}
	}
}
