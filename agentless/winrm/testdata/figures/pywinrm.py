# One raw command for each host by pywinrm, 20 threads.
import json, sys
from concurrent.futures import ThreadPoolExecutor
from winrm.protocol import Protocol

address, ports, commands = sys.argv[1], json.loads(sys.stdin.readline()), int(sys.argv[2])

def one(port):
    p = Protocol(endpoint='http://%s:%d/wsman' % (address, port), transport='plaintext', username='operator', password='Password-1')
    for _ in range(commands):
        shell = p.open_shell()
        command = p.run_command(shell, 'hostname')
        p.get_command_output(shell, command)
        p.cleanup_command(shell, command)
        p.close_shell(shell)

with ThreadPoolExecutor(20) as pool:
    list(pool.map(one, ports))

with open('/proc/self/status') as status:
    print(json.dumps({'memory': next(float(line.split()[1]) for line in status if line.startswith('VmHWM:')) / 1024}))
