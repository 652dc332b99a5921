#!/usr/bin/python3
"""The login and the sealing of a WinRM host by Samba's own NTLM (gensec).
usage: samba_host.py SMB_CONF SAM_LDB ADDRESS BACKEND; prints its port. What is
inside the messages is answered by the BACKEND, a URL without a login."""
import base64, struct, sys, urllib.error, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from samba import param, gensec, auth
from samba.credentials import Credentials, DONT_USE_KERBEROS
from samba.samdb import SamDB
from samba.auth import system_session

lp = param.LoadParm()
lp.load(sys.argv[1])
sam = SamDB(url=sys.argv[2], session_info=system_session(lp), lp=lp)
BOUND, PROTO = b"Encrypted Boundary", b"application/HTTP-SPNEGO-session-encrypted"
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def acceptor():
    creds = Credentials()
    creds.guess(lp)
    creds.set_kerberos_state(DONT_USE_KERBEROS)
    creds.set_anonymous()
    g = gensec.Security.start_server(
        {"lp_ctx": lp, "target_hostname": "stub"},
        auth.AuthContext(lp_ctx=lp, ldb=sam, methods=["sam_ignoredomain", "sam"]))
    g.set_credentials(creds)
    g.want_feature(gensec.FEATURE_SIGN)
    g.want_feature(gensec.FEATURE_SEAL)
    g.start_mech_by_name("ntlmssp")
    return g


def note(*what):
    print(*what, file=sys.stderr, flush=True)


class Host(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    login, ready = None, False

    def log_message(self, *a):
        pass

    def reply(self, code, body=b"", **headers):
        self.send_response(code)
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        given = self.headers.get("Authorization", "")
        if given.startswith("Negotiate "):
            token = base64.b64decode(given[10:])
            if token[8:9] == b"\1" or self.login is None:
                self.login, self.ready = acceptor(), False
            try:
                done, out = self.login.update(token)
            except Exception as e:
                note("refused", e)
                self.login = None
                return self.reply(401, WWW_Authenticate="Negotiate")
            if not done:
                return self.reply(401, WWW_Authenticate="Negotiate " + base64.b64encode(out).decode())
            self.ready = True
            note("login sign=%s seal=%s" % tuple(
                self.login.have_feature(f) for f in (gensec.FEATURE_SIGN, gensec.FEATURE_SEAL)))
        if not self.ready:
            return self.reply(401, WWW_Authenticate="Negotiate")
        if not body:
            return self.reply(200)
        if not self.headers.get("Content-Type", "").startswith("multipart/encrypted"):
            note("plain body")
            return self.reply(500)
        parts = body.split(b"--" + BOUND + b"\r\n")
        want = int(parts[1].split(b"Length=")[1].strip())
        data = parts[2][len(b"\tContent-Type: application/octet-stream\r\n"):-len(b"--" + BOUND + b"--\r\n")]
        try:
            plain = self.login.unwrap(data[4:])
        except Exception as e:
            note("unwrap", e)
            self.close_connection = True
            return self.reply(400)
        if len(plain) != want or struct.unpack("<i", data[:4])[0] != 16:
            note("length")
            return self.reply(400)
        request = urllib.request.Request(sys.argv[4], data=plain, headers={"Content-Type": "application/soap+xml;charset=UTF-8"})
        try:
            with direct.open(request) as r:
                code, answer = r.status, r.read()
        except urllib.error.HTTPError as e:
            code, answer = e.code, e.read()
        out = (b"--" + BOUND + b"\r\n\tContent-Type: " + PROTO +
               b"\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n--" % len(answer) + BOUND +
               b"\r\n\tContent-Type: application/octet-stream\r\n" + struct.pack("<i", 16) + self.login.wrap(answer) +
               b"--" + BOUND + b"--\r\n")
        self.reply(code, out, Content_Type='multipart/encrypted;protocol="%s";boundary="%s"' % (PROTO.decode(), BOUND.decode()))


s = ThreadingHTTPServer((sys.argv[3], 0), Host)
print(s.server_port, flush=True)
s.serve_forever()
