"""The processes of a run: Redis, nodes, network, clients."""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import resp
from resp import now


def wait_for(what, condition, seconds=20):
    deadline = time.monotonic() + seconds

    while True:
        value = condition()

        if value:
            return value

        if time.monotonic() > deadline:
            raise TimeoutError('waited in vain for ' + what)

        time.sleep(0.005)


def read_file(path):
    try:
        with open(path, errors='replace') as f:
            return f.read()

    except OSError:
        return ''


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def alive(pid):
    status = read_file('/proc/%d/stat' % pid)

    return bool(status) and status.rpartition(')')[2].split()[0] not in 'ZX'


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def kill(pid, sig):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sig)


class Redis:
    def __init__(self, dir, name):
        self.dir = os.path.join(dir, name)
        self.name = name
        self.socket = os.path.join(self.dir, 's')
        self.process = None
        self.port = free_port()
        os.mkdir(self.dir)

    def start(self):
        with open(self.dir + '/conf', 'w') as f:
            f.write('port %d\n'
                    'bind 127.0.0.1\n'
                    'unixsocket %s\n'
                    'dir %s\n'
                    'logfile %s/log\n'
                    'appendonly yes\n'
                    'save ""\n'
                    'enable-debug-command yes\n'
                    'repl-diskless-sync-delay 0\n'
                    'busy-reply-threshold 20\n'
                    'client-output-buffer-limit pubsub 256kb 0 0\n'
                    % (self.port, self.socket, self.dir, self.dir))

        self.process = subprocess.Popen(
            ['redis-server', self.dir + '/conf'], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, preexec_fn=die_with_parent)

        self.wait()

    def wait(self):
        client = resp.Client(lambda: self)

        def answers():
            try:
                return client('PING') == 'PONG'
            except (OSError, resp.ReplyError):
                return False

        wait_for('redis', answers)
        client.close()

    def stop(self, sig=signal.SIGKILL):
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(sig)
            self.process.wait()
            self.process = None

    def forget(self):
        subprocess.run(['rm', '-rf', self.dir + '/appendonlydir'])


class Relay:
    """The network between nodes and Redis, in a namespace of its own if
    there may be one: see relay.c."""

    def __init__(self, build, nodes, servers):
        self.ns = None
        self.ports = {}
        command = [build + '/relay']
        address = '127.0.0.1'

        octet = os.getpid() % 16384
        net = '10.%d.%d.%%d' % (200 + octet // 256 % 50, octet % 256)
        ns = 'npmtoken-%d' % os.getpid()
        host = 'npmt%d' % (os.getpid() % 1000000)

        try:
            self.ip('netns', 'add', ns)
            self.ns = ns
            self.ip('link', 'add', host, 'type', 'veth', 'peer', 'name',
                    'far', 'netns', ns)
            self.ip('addr', 'add', net % 1 + '/24', 'dev', host)
            self.ip('link', 'set', host, 'up')
            self.ip('-n', ns, 'addr', 'add', net % 2 + '/24', 'dev', 'far')
            self.link('up')
            address = net % 2
            command = ['ip', 'netns', 'exec', ns] + command

        except (OSError, subprocess.CalledProcessError):
            self.remove()

        for i, node in enumerate(nodes):
            self.ports[node] = '%s:%d' % (address, self.pick_port(i))
            command.append('%s=%s' % (node, self.ports[node]))

        for server in servers:
            command.append('%s=%s' % (server.name, server.socket))

        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=die_with_parent)

        self.answer()

    @staticmethod
    def ip(*args):
        subprocess.run(('ip',) + args, check=True, stdin=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def pick_port(self, i):
        if self.ns:
            return 6379 + i

        return free_port()

    def link(self, state):
        """Down at the far end: what is sent is lost, and nobody told."""
        self.ip('-n', self.ns, 'link', 'set', 'far', state)

    def answer(self):
        line = self.process.stdout.readline()

        if not line or int(line) < 0:
            raise RuntimeError('the relay: ' + (line or 'is gone'))

        return int(line)

    def __call__(self, *args):
        self.process.stdin.write(' '.join(map(str, args)) + '\n')
        self.process.stdin.flush()

        return self.answer()

    def well(self):
        self('delay', '*', '*', '*', 0, 0)
        self('hold', '*', '*', '*', 0)

    def remove(self):
        if self.ns:
            subprocess.run(['ip', 'netns', 'del', self.ns])
            self.ns = None

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.remove()


class Node:
    """An nginx with some workers."""

    def __init__(self, dir, name, module, redis, options):
        self.dir = os.path.join(dir, name)
        self.name = name
        self.options = options
        self.pgid = None
        self.env = dict(os.environ)
        os.mkdir(self.dir)

        self.port = free_port()

        with open(self.dir + '/nginx.conf', 'w') as f:
            f.write(self.config(module, redis))

    def config(self, module, redis):
        user = 'user root;' if os.geteuid() == 0 else ''

        return '''
%(user)s
load_module %(module)s;
worker_processes 3;
pid nginx.pid;
error_log error.log notice;
env NPMTOKEN_STOPS;

events {
    worker_connections 512;
}

http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;

    npmtoken_store main {
        redis             %(redis)s;
        cache             1m;
        revocation_bound  %(bound)dms;
        lookup_timeout    %(timeout)dms;
        connect_timeout   %(timeout)dms;
        cache_ttl         1h;
        negative_ttl      1h;
        lookup_queue      512;
        lookup_share      512;
        %(options)s
    }

    server {
        listen 127.0.0.1:%(port)d;

        location / {
            npmtoken            main;
            npmtoken_log_level  info;
            add_header          X-Cache $npmtoken_cache always;
            empty_gif;
        }
    }
}
''' % dict(user=user, module=module, redis=redis, port=self.port,
           bound=self.options['bound'] * 1000,
           timeout=self.options['bound'] * 3000,
           options=self.options.get('store', ''))

    def start(self):
        # an upgrade calls the binary by its path, and only from a daemon
        nginx = shutil.which('nginx', path=os.environ['PATH'] + ':/usr/sbin')

        command = [nginx, '-p', self.dir, '-c', self.dir + '/nginx.conf',
                   '-e', self.dir + '/error.log']

        rc = subprocess.run(command, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL,
                            env=self.env, start_new_session=True).returncode

        if rc:
            raise RuntimeError('nginx does not start: ' + self.log())

        wait_for('the pid of ' + self.name, lambda: self.master)

        # its pid may be known before it has a group of its own
        wait_for('the group of ' + self.name,
                 lambda: os.getpgid(self.master) == self.master)
        self.pgid = self.master

        wait_for('the workers of ' + self.name, self.ready)

    def log(self):
        return read_file(self.dir + '/error.log')

    @property
    def master(self):
        text = read_file(self.dir + '/nginx.pid').strip()

        return int(text) if text else 0

    def workers(self):
        pid = self.master

        if not pid:
            return []

        children = read_file('/proc/%d/task/%d/children' % (pid, pid))

        return [int(p) for p in children.split()
                if 'worker process' in read_file('/proc/%s/cmdline' % p)
                and 'shutting' not in read_file('/proc/%s/cmdline' % p)]

    def ready(self):
        return len(self.workers()) == 3

    def owner(self):
        """the worker that has the feed, or had it last"""

        pids = re.findall(r' (\d+)#\d+: .*the feed is live', self.log())

        for pid in reversed(pids):
            if alive(int(pid)):
                return int(pid)

        return None

    def signal(self, sig, pid=None):
        kill(pid or self.master, sig)

    def reload(self):
        old = set(self.workers())
        self.signal(signal.SIGHUP)
        wait_for('a reload', lambda: len(set(self.workers()) - old) == 3)

    def upgrade(self):
        old = self.master
        self.signal(signal.SIGUSR2)
        wait_for('another master', lambda: self.master not in (0, old)
                 and self.ready())
        self.signal(signal.SIGWINCH, old)
        time.sleep(0.3)
        self.signal(signal.SIGQUIT, old)
        wait_for('the end of the old master', lambda: not alive(old))

    def stop(self):
        if self.pgid is None:
            return

        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pgid, signal.SIGCONT)
            os.killpg(self.pgid, signal.SIGTERM)

            deadline = time.monotonic() + 5

            while time.monotonic() < deadline:
                os.killpg(self.pgid, 0)
                time.sleep(0.02)

            os.killpg(self.pgid, signal.SIGKILL)

        self.pgid = None

    def crashes(self):
        return re.findall(r'exited on signal (?!9\b)\d+.*', self.log())

    def ask(self, token, method='GET'):
        """(status, headers) on a connection of its own"""

        began = now()

        with socket.create_connection(('127.0.0.1', self.port), 20) as sock:
            sock.sendall(('%s /pkg HTTP/1.1\r\nHost: faults\r\n'
                          'Authorization: Bearer %s\r\n'
                          'Content-Length: 0\r\n'
                          'Connection: close\r\n\r\n'
                          % (method, token.text)).encode())

            data = b''

            while True:
                more = sock.recv(65536)

                if not more:
                    break

                data += more

        head = data.split(b'\r\n\r\n')[0].decode()
        status = int(head.split()[1]) if head else 0

        return status, head, began


class Load:
    def __init__(self, build, state_path, log_path, seed, nodes):
        self.log_path = log_path
        self.process = subprocess.Popen(
            [build + '/load', state_path, log_path, str(seed)]
            + [str(n.port) for n in nodes], preexec_fn=die_with_parent)

    def finish(self, state):
        state.stop()
        self.process.wait(30)

        if self.process.returncode:
            raise RuntimeError('the clients failed')

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
