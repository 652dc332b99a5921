#!/usr/bin/python3
"""A WinRM-like http(s) stub that accepts Kerberos with the library of MIT.
usage: acceptor.py ADDRESS PORT [cert key]   (KRB5_KTNAME, KRB5_CONFIG set)
It answers "echo:" + what it opened, sealed when the request was sealed."""
import base64, hashlib, ssl, struct, sys, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import gssapi
from gssapi.raw import IOV, IOVBuffer, IOVBufferType as T, wrap_iov, unwrap_iov
from gssapi.raw import ChannelBindings
B = b'--Encrypted Boundary'
P = 'application/HTTP-SPNEGO-session-encrypted'
CBT = None
class H(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    wbufsize = 65536
    disable_nagle_algorithm = True
    ctx = None
    def log_message(self, *a): pass
    def say(self, code, body=b'', kind='application/soap+xml;charset=UTF-8', auth=None):
        self.send_response(code)
        if auth: self.send_header('WWW-Authenticate', auth)
        self.send_header('Content-Type', kind); self.send_header('Content-Length', str(len(body)))
        self.end_headers(); self.wfile.write(body)
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        a = self.headers.get('Authorization', ''); auth = None
        if a.startswith('Negotiate '):
            try:
                self.ctx = gssapi.SecurityContext(creds=CREDS, usage='accept', channel_bindings=CBT)
                out = self.ctx.step(base64.b64decode(a[10:]))
                auth = 'Negotiate ' + base64.b64encode(out).decode()
                try: done = self.ctx.complete  # an error with a token is raised later by python-gssapi
                except (AttributeError, gssapi.raw.GSSError): done = False
                if not done:
                    self.ctx = None
                    return self.say(401, auth=auth)
            except gssapi.raw.GSSError as e:
                print('gss:', e, file=sys.stderr, flush=True)
                self.ctx = None
                tok = getattr(e, 'token', None)
                return self.say(401, auth='Negotiate' + (' ' + base64.b64encode(tok).decode() if tok else ''))
        if self.ctx is None or not self.ctx.complete:
            return self.say(401, auth='Negotiate')
        who = ('%s|%s|flags=%x|' % (self.ctx.initiator_name, self.ctx.target_name, int(self.ctx.actual_flags))).encode()
        if not body: return self.say(200, auth=auth)
        if 'multipart/encrypted' not in self.headers['Content-Type']:
            return self.say(200, b'plain:' + who + body, auth=auth)
        want = int(body.split(b'Length=')[1].split(b'\r\n')[0])
        d = body.split(b'application/octet-stream\r\n', 1)[1][:-len(B + b'--\r\n')]
        n = struct.unpack('<i', d[:4])[0]
        iov = IOV(IOVBuffer(T.header, False, d[4:4+n]), IOVBuffer(T.data, False, d[4+n:]), T.data, std_layout=False)
        try: res = unwrap_iov(self.ctx, iov)
        except gssapi.raw.GSSError as e:
            print('unwrap:', e, file=sys.stderr, flush=True); return self.say(400)
        msg = iov[1].value
        assert res.encrypted and len(msg) == want, (len(msg), want)
        msg = b'sealed:' + who + msg
        pad = not os.environ.get('NOPAD')
        w = IOV(IOVBuffer(T.header, True, None), IOVBuffer(T.data, False, msg), IOVBuffer(T.padding, True, None), std_layout=False)
        wrap_iov(self.ctx, w, confidential=True)
        hd, da, pa = (w[0].value or b''), w[1].value, (w[2].value or b'')
        out = B + b'\r\n\tContent-Type: ' + P.encode() + b'\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n' % len(msg) + B + b'\r\n\tContent-Type: application/octet-stream\r\n' + struct.pack('<i', len(hd)) + hd + da + pa + B + b'--\r\n'
        self.say(200, out, 'multipart/encrypted;protocol="%s";boundary="Encrypted Boundary"' % P)
class S(ThreadingHTTPServer):
    daemon_threads = True
CREDS = gssapi.Credentials(usage='accept')
s = S((sys.argv[1], int(sys.argv[2])), H)
if len(sys.argv) > 4:
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(sys.argv[3], sys.argv[4]); s.socket = c.wrap_socket(s.socket, server_side=True)
    der = ssl.PEM_cert_to_DER_cert(open(sys.argv[3]).read())
    CBT = ChannelBindings(application_data=b'tls-server-end-point:' + hashlib.sha256(der).digest())
    if os.environ.get('BADCBT'): CBT = ChannelBindings(application_data=b'tls-server-end-point:' + b'x'*32)
print('ready', flush=True)
s.serve_forever()
