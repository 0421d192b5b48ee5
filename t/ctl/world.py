"""What the tests of npmtokenctl run against: redis-server, nginx, a terminal.

All of it listens on unix sockets in one directory (a master of replication
has a port as well), and ends with the process that started it.
"""

import ctypes
import hashlib
import http.client
import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
CTL = os.environ.get('NPMTOKENCTL') or os.path.join(
    ROOT, 'build', 'npmtokenctl')
MODULE = os.path.join(ROOT, 'build', 'ngx_http_npmtoken_module.so')

LIMIT = 20

# for a tool that was built with a sanitizer: its end frees all there is
os.environ.setdefault('ASAN_OPTIONS', 'detect_leaks=0')


def wait_for(condition, what, limit=LIMIT):
    """Waits until the condition is met, and returns what it gave."""
    end = time.monotonic() + limit

    while True:
        result = condition()

        if result:
            return result

        if time.monotonic() > end:
            raise AssertionError('%s: not within %d s' % (what, limit))

        time.sleep(0.005)


def die_with_parent():
    """In the child: however the parent ends, this ends too."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def key_of(token):
    """What npm calls the key of a token."""
    return hashlib.sha512(token.encode()).hexdigest()


class Redis:
    """A redis-server of its own, and a small client."""

    def __init__(self, world, *options, port=0, config=False):
        self.dir = tempfile.mkdtemp(dir=world.dir)
        self.path = os.path.join(self.dir, 's')
        self.url = 'unix:' + self.path
        self.port = port

        self.command = [
            'redis-server', '--port', str(port), '--bind', '127.0.0.1',
            '--unixsocket', self.path, '--save', '', '--dir', self.dir,
            '--repl-diskless-sync-delay', '0', *options]

        if config:
            path = os.path.join(self.dir, 'redis.conf')

            with open(path, 'w', encoding='utf-8'):
                pass

            self.command.insert(1, path)

        self.process = None
        self.start(world)

    def start(self, world):
        """Starts it."""
        self.process = world.start(self.command,
                                   os.path.join(self.dir, 'log'))
        wait_for(self.answers, 'redis-server')

    def restart(self, world):
        """Ends it, and starts it again."""
        self.process.terminate()
        self.process.wait(LIMIT)
        self.start(world)

    def answers(self):
        """It can be connected to."""
        try:
            self.connection().close()
            return True
        except OSError:
            return False

    def connection(self):
        """A new connection."""
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.path)
        return sock

    def __call__(self, *args):
        """A command, and its reply; an error is an exception."""
        with self.connection() as sock:
            data = b'*%d\r\n' % len(args)

            for arg in args:
                arg = arg if isinstance(arg, bytes) else str(arg).encode()
                data += b'$%d\r\n%s\r\n' % (len(arg), arg)

            sock.sendall(data)

            return self.reply(sock.makefile('rb'))

    def login(self, user, password):
        """The reply to AUTH."""
        return self('AUTH', user, password)

    def forget_users(self):
        """No user but the default one."""
        for user in self('ACL', 'USERS'):
            if user != 'default':
                self('ACL', 'DELUSER', user)

    def reply(self, file):
        """One reply of RESP2."""
        line = file.readline()[:-2].decode()
        kind, rest = line[0], line[1:]

        if kind == '-':
            raise RuntimeError(rest)

        if kind == '$':
            if rest == '-1':
                return None

            return file.read(int(rest) + 2)[:-2].decode('utf-8', 'replace')

        if kind == '*':
            return [self.reply(file) for _ in range(int(rest))]

        return int(rest) if kind == ':' else rest

    def hash(self, key):
        """A hash as a dictionary."""
        reply = self('HGETALL', key)
        return dict(zip(reply[::2], reply[1::2]))

    def record(self, token):
        """The record of a token."""
        return self.hash('npmtoken:token:' + key_of(token))

    def put(self, secret, **fields):
        """Writes a record, and returns its key."""
        key = key_of(secret)
        self('HSET', 'npmtoken:token:' + key,
             *[x for pair in fields.items() for x in pair])
        return key

    def state(self):
        """All there is, to compare."""
        state = {}

        for key in self('KEYS', '*'):
            kind = self('TYPE', key)
            state[key] = self.hash(key) if kind == 'hash' \
                else sorted(self('SMEMBERS', key)) if kind == 'set' \
                else kind

        return state


class Result:
    """What a command said."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self):
        """Its output, parsed."""
        return json.loads(self.out)


class Unix(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__('localhost', timeout=LIMIT)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT)
        self.sock.connect(self.path)


class Terminal:
    """npmtokenctl on a pseudo-terminal."""

    def __init__(self, world, *args):
        self.pid, self.fd = pty.fork()

        if self.pid == 0:
            die_with_parent()
            os.environ['NPMTOKEN_REDIS'] = world.redis.url
            os.execv(CTL, [CTL, *args])

        self.text = ''

    def read(self):
        """What has come, into "text"; False at its end."""
        if not select.select([self.fd], [], [], 0.05)[0]:
            return True

        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False

        self.text += data.decode('utf-8', 'replace')

        return data != b''

    def expect(self, text):
        """Waits until it has printed that."""
        wait_for(lambda: (self.read() and False) or text in self.text, text)

    def send(self, text):
        """Types."""
        os.write(self.fd, text.encode())

    def end(self):
        """Waits until it has ended, and returns its status."""
        wait_for(lambda: not self.read(), 'its end')
        os.close(self.fd)

        return os.waitpid(self.pid, 0)[1]


class World:
    """All of it."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='npmtoken-ctl.')
        self.processes = []
        self.redis = Redis(self)
        self.socket = None

    def start(self, command, log):
        """Starts a process that ends with this one."""
        with open(log, 'w', encoding='utf-8') as out:
            process = subprocess.Popen(command, stdout=out, stderr=out,
                                       stdin=subprocess.DEVNULL,
                                       preexec_fn=die_with_parent)
        self.processes.append(process)

        return process

    def ctl(self, *args, stdin='', env=None):
        """Runs npmtokenctl against the first redis-server."""
        environ = {'PATH': os.environ['PATH'],
                   'ASAN_OPTIONS': os.environ['ASAN_OPTIONS'],
                   'NPMTOKEN_REDIS': self.redis.url, **(env or {})}
        done = subprocess.run([CTL, *args], input=stdin, env=environ,
                              capture_output=True, timeout=LIMIT, text=True,
                              check=False)

        return Result(done.returncode, done.stdout, done.stderr)

    def nginx(self):
        """nginx with the module, before a registry that says "registry"."""
        self.socket = os.path.join(self.dir, 'nginx')
        conf = os.path.join(self.dir, 'nginx.conf')

        with open(conf, 'w', encoding='utf-8') as out:
            out.write(f'''
                load_module {MODULE};
                {'user root;' if os.geteuid() == 0 else ''}
                daemon off;
                master_process on;
                worker_processes 1;
                pid {self.dir}/nginx.pid;
                error_log {self.dir}/error.log info;
                events {{ }}
                http {{
                    access_log off;
                    client_body_temp_path {self.dir}/t1;
                    proxy_temp_path {self.dir}/t2;
                    fastcgi_temp_path {self.dir}/t3;
                    uwsgi_temp_path {self.dir}/t4;
                    scgi_temp_path {self.dir}/t5;
                    npmtoken_store main {{ redis {self.redis.url}; }}
                    server {{
                        listen unix:{self.socket};
                        location / {{
                            npmtoken main;
                            proxy_pass http://unix:{self.socket}.back;
                        }}
                    }}
                    server {{
                        listen unix:{self.socket}.back;
                        return 200 "registry\\n";
                    }}
                }}
            ''')

        process = self.start(['nginx', '-p', self.dir, '-c', conf],
                             os.path.join(self.dir, 'nginx.log'))

        def ready():
            if process.poll() is not None:
                with open(os.path.join(self.dir, 'nginx.log'),
                          encoding='utf-8') as log:
                    raise AssertionError(log.read())

            try:
                return self.ask('x', '/-/whoami') == 401
            except OSError:
                return False

        wait_for(ready, 'nginx')

    def ask(self, token, path, method='GET'):
        """The status of a request with that token."""
        connection = Unix(self.socket)
        connection.request(method, path,
                           headers={'Authorization': 'Bearer ' + token})
        status = connection.getresponse().status
        connection.close()

        return status

    def stop(self):
        """Ends what was started, and removes what was written."""
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)

        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

        shutil.rmtree(self.dir)
