#!/usr/bin/python3
"""The library of MIT as WinRM client: initiator.py ADDRESS PORT SPNHOST pad|nopad COUNT"""
import base64, http.client, struct, sys
import gssapi
from gssapi.raw import IOV, IOVBuffer, IOVBufferType as T, wrap_iov, unwrap_iov
addr, port, host, pad, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4] == 'pad', int(sys.argv[5])
B = b'--Encrypted Boundary'; P = 'application/HTTP-SPNEGO-session-encrypted'
mech = gssapi.OID.from_int_seq('1.3.6.1.5.5.2')
F = gssapi.RequirementFlag
ctx = gssapi.SecurityContext(name=gssapi.Name('HTTP@' + host, gssapi.NameType.hostbased_service), mech=mech, usage='initiate',
    flags=F.mutual_authentication | F.confidentiality | F.integrity | F.replay_detection | F.out_of_sequence_detection)
c = http.client.HTTPConnection(addr, port)
c.request('POST', '/wsman', b'', {'Authorization': 'Negotiate ' + base64.b64encode(ctx.step()).decode()})
r = c.getresponse(); r.read()
assert r.status == 200, (r.status, r.getheader('WWW-Authenticate'))
ctx.step(base64.b64decode(r.getheader('WWW-Authenticate')[10:])); assert ctx.complete
for i in range(count):
    msg = b'<m>%d</m>' % i * (1 + 4000 * i)
    w = IOV(IOVBuffer(T.header, True, None), IOVBuffer(T.data, False, msg), IOVBuffer(T.padding, True, None), std_layout=False) if pad else \
        IOV(IOVBuffer(T.header, True, None), IOVBuffer(T.data, False, msg), std_layout=False)
    wrap_iov(ctx, w, confidential=True)
    hd, da, pa = w[0].value or b'', w[1].value, (w[2].value or b'') if pad else b''
    body = B + b'\r\n\tContent-Type: ' + P.encode() + b'\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n' % len(msg) + B + b'\r\n\tContent-Type: application/octet-stream\r\n' + struct.pack('<i', len(hd)) + hd + da + pa + B + b'--\r\n'
    c.request('POST', '/wsman', body, {'Content-Type': 'multipart/encrypted;protocol="%s";boundary="Encrypted Boundary"' % P})
    r = c.getresponse(); out = r.read(); assert r.status == 200, r.status
    d = out.split(b'application/octet-stream\r\n', 1)[1][:-len(B + b'--\r\n')]
    n = struct.unpack('<i', d[:4])[0]
    iov = IOV(IOVBuffer(T.header, False, d[4:4+n]), IOVBuffer(T.data, False, d[4+n:]), T.data, std_layout=False)
    res = unwrap_iov(ctx, iov); assert res.encrypted and iov[1].value == b'echo:' + msg, iov[1].value[:80]
print('ok', ctx.initiator_name, len(hd), len(pa))
