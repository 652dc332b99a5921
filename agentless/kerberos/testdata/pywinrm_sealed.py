#!/usr/bin/python3
"""pywinrm's own sealing (winrm.encryption, Debian) with MIT's library under it:
python3-kerberos of Debian lacks authGSSWinRMEncryptMessage, so its two calls are
made here with python3-gssapi. pywinrm_sealed.py URL SPNHOST COUNT"""
import base64, sys, requests, gssapi
from gssapi.raw import IOV, IOVBuffer, IOVBufferType as T, wrap_iov, unwrap_iov
from winrm.encryption import Encryption
url, host, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
F = gssapi.RequirementFlag
class Auth(requests.auth.AuthBase):
    def __init__(self):
        self.ctx = gssapi.SecurityContext(name=gssapi.Name('HTTP@' + host, gssapi.NameType.hostbased_service), usage='initiate',
            mech=gssapi.OID.from_int_seq('1.3.6.1.5.5.2'), flags=F.mutual_authentication | F.confidentiality | F.integrity | F.out_of_sequence_detection)
    def __call__(self, r): return r
    def wrap_winrm(self, _, msg):
        w = IOV(IOVBuffer(T.header, True, None), IOVBuffer(T.data, False, msg), IOVBuffer(T.padding, True, None), std_layout=False)
        wrap_iov(self.ctx, w, confidential=True)
        return w[1].value + (w[2].value or b''), w[0].value
    def unwrap_winrm(self, _, msg, sig):
        iov = IOV(IOVBuffer(T.header, False, sig), IOVBuffer(T.data, False, msg), T.data, std_layout=False)
        assert unwrap_iov(self.ctx, iov).encrypted
        return iov[1].value
s = requests.Session(); s.trust_env = False; s.auth = a = Auth()
r = s.post(url, data=b'', headers={'Authorization': 'Negotiate ' + base64.b64encode(a.ctx.step()).decode()}); assert r.status_code == 200, r.status_code
a.ctx.step(base64.b64decode(r.headers['WWW-Authenticate'][10:])); assert a.ctx.complete
e = Encryption(s, 'kerberos')
for i in range(count):
    m = b'<m>%d</m>' % i * (1 + 3000 * i)
    r = s.send(e.prepare_encrypted_request(s, url, m)); assert r.status_code == 200, r.status_code
    out = e.parse_encrypted_response(r)
    assert out == b'echo:' + m, out[:80]
print('pywinrm sealed ok', host)
