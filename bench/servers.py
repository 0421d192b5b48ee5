"""What a benchmark runs: Redis, nginx, tokens, the clients of client.h."""

import contextlib
import ctypes
import hashlib
import json
import os
import random
import resource
import signal
import socket
import subprocess
import time
import zlib


ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get('NPMTOKEN_BUILD', ROOT + '/build')
MODULE = BUILD + '/ngx_http_npmtoken_module.so'
LUA = '/usr/share/nginx/modules'

# nginx's worker has a processor of its own; all else has another
CPUS = sorted(os.sched_getaffinity(0))
WORKER_CPU = CPUS[0]
OTHER_CPU = CPUS[-1]

PREFIX = 'npmtoken:token:'


def wait_for(what, condition, seconds=20):
    deadline = time.monotonic() + seconds

    while True:
        value = condition()

        if value:
            return value

        if time.monotonic() > deadline:
            raise TimeoutError('waited in vain for ' + what)

        time.sleep(0.01)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def listening(port):
    with contextlib.suppress(OSError):
        socket.create_connection(('127.0.0.1', port), 1).close()
        return True

    return False


def child(cpu=None, sig=signal.SIGTERM):
    """A process that is gone when this one is, on the processor given."""
    ctypes.CDLL(None).prctl(1, sig)

    # as many connections as there may be

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    if cpu is not None:
        os.sched_setaffinity(0, {cpu})


def output(*command):
    return subprocess.run(command, check=True, text=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT).stdout.strip()


# tokens

def base62(value, width):
    digits = ('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'
              'abcdefghijklmnopqrstuvwxyz')
    text = ''

    for _ in range(width):
        value, rest = divmod(value, 62)
        text = digits[rest] + text

    return text


def make_token(kind, i):
    """As npm makes them: 30 random characters and their CRC32."""
    digest = hashlib.sha256(b'%s %d' % (kind.encode(), i)).digest()
    body = base62(int.from_bytes(digest[:23], 'big'), 30)

    return 'npm_' + body + base62(zlib.crc32(body.encode()), 6)


def key(token):
    return hashlib.sha512(token.encode()).hexdigest()


class Tokens:
    """A file of tokens, one to a line, and their records."""

    def __init__(self, dir, kind, number, **fields):
        self.path = '%s/%s.tokens' % (dir, kind)
        self.kind = kind
        self.number = number
        self.fields = fields

        with open(self.path, 'w') as f:
            for i in range(number):
                f.write(make_token(kind, i) + '\n')

    def __iter__(self):
        with open(self.path) as f:
            for line in f:
                yield line.rstrip()

    def commands(self):
        """as redis-cli --pipe takes them"""
        for i, token in enumerate(self):
            words = ['HSET', PREFIX + key(token), 'user',
                     'user%d' % (i % 1000), 'created',
                     '2026-01-01T00:00:00.000Z', 'token', token[:6]]

            for name, value in self.fields.items():
                words += [name, value]

            yield command(*words)

    def deletions(self):
        for token in self:
            yield command('DEL', PREFIX + key(token))


def command(*words):
    return '*%d\r\n' % len(words) + ''.join(
        '$%d\r\n%s\r\n' % (len(word), word) for word in words)


# servers

class Redis:
    def __init__(self, dir):
        self.port = free_port()

        self.process = subprocess.Popen(
            ['redis-server', '--port', str(self.port), '--bind', '127.0.0.1',
             '--save', '', '--appendonly', 'no', '--dir', dir,
             '--logfile', dir + '/redis.log', '--maxclients', '1000'],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            preexec_fn=lambda: child(OTHER_CPU))

        wait_for('redis', lambda: listening(self.port))
        wait_for('redis', lambda: self('PING') == 'PONG')

    def __call__(self, *words):
        return output('redis-cli', '-p', str(self.port), *words)

    def pipe(self, commands):
        """Returns when Redis has answered the last one."""
        process = subprocess.Popen(
            ['redis-cli', '-p', str(self.port), '--pipe'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=child)

        said, _ = process.communicate(''.join(commands))

        if 'errors: 0' not in said:
            raise RuntimeError('redis-cli: ' + said)

    def lookups(self):
        for line in self('INFO', 'commandstats').splitlines():
            if line.startswith('cmdstat_hgetall:'):
                return int(line.split('=')[1].split(',')[0])

        return 0

    def pin(self, cpus=(OTHER_CPU,)):
        for thread in os.listdir('/proc/%d/task' % self.process.pid):
            os.sched_setaffinity(int(thread), cpus)

    def unpin(self):
        self.pin(CPUS)

    def stop(self):
        self.process.kill()
        self.process.wait()


CONFIGURATION = """
%(load)s
user root;
worker_processes %(workers)d;
worker_cpu_affinity %(affinity)s;
daemon off;
master_process %(master)s;
pid %(dir)s/nginx.pid;
error_log %(dir)s/error.log %(level)s;

events {
    worker_connections 20000;
}

http {
    access_log off;
    default_type application/json;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    client_body_temp_path %(dir)s/client_body;
    proxy_temp_path %(dir)s/proxy;
    fastcgi_temp_path %(dir)s/fastcgi;
    uwsgi_temp_path %(dir)s/uwsgi;
    scgi_temp_path %(dir)s/scgi;

    upstream registry {
        server 127.0.0.1:%(registry)d;
        keepalive 128;
        keepalive_requests 1000000000;
        keepalive_timeout 600s;
    }

    %(http)s

    server {
        listen 127.0.0.1:%(port)d backlog=16384;

        %(server)s

        location / {
            %(location)s
            root %(www)s;
        }

        location /proxy/ {
            %(location)s
            proxy_pass http://registry/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
    }
}
"""


class Nginx:
    """One nginx, of one worker if nothing else is said."""

    def __init__(self, bench, name, load='', http='', server='', location='',
                 workers=1, pin=True, single=False, wrapper=()):
        self.bench = bench
        self.name = name
        self.port = free_port()
        self.dir = '%s/%s' % (bench.dir, name)
        os.makedirs(self.dir, exist_ok=True)

        self.text = CONFIGURATION % dict(
            load=load, http=http, server=server, location=location,
            workers=workers, master='off' if single else 'on',
            affinity='%s' % bin(1 << WORKER_CPU)[2:] if pin else 'auto',
            level='crit', dir=self.dir, port=self.port, www=bench.www,
            registry=bench.registry_port)

        with open(self.dir + '/nginx.conf', 'w') as f:
            f.write(self.text)

        self.process = subprocess.Popen(
            list(wrapper) + ['nginx', '-p', self.dir, '-e',
                             self.dir + '/error.log', '-c',
                             self.dir + '/nginx.conf'],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.dir + '/stderr', 'w'), preexec_fn=child)

        wait_for(name, lambda: self.alive() and listening(self.port))

        if not single:
            wait_for(name, lambda: len(self.workers()) == workers)

    def alive(self):
        if self.process.poll() is None:
            return True

        with open(self.dir + '/stderr') as f:
            raise RuntimeError('nginx does not start: ' + f.read())

    def workers(self):
        pid = self.process.pid

        with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
            return [int(pid) for pid in f.read().split()]

    def cpu(self):
        """Nanoseconds that the workers have been running."""
        return sum(int(open('/proc/%d/schedstat' % pid).read().split()[0])
                   for pid in self.workers())

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        # told just before it waits for events, a single process does not
        # hear it

        for _ in range(100):
            self.process.send_signal(signal.SIGTERM)

            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.3)
                return

        raise RuntimeError(self.name + ' does not end')


class Bench:
    """The directory, Redis and the registry, which all benchmarks share."""

    def __init__(self, dir, quick=False):
        self.million = 50000 if quick else 1000000
        self.rounds = 2 if quick else 10
        self.starts = 2 if quick else 12
        self.pairs = 2 if quick else 6
        self.seconds = 0.3 if quick else 0.5
        self.revocations = 200 if quick else 3000

        self.dir = dir
        self.www = dir + '/www'
        self.registry_port = 1
        self.stack = contextlib.ExitStack()

        os.chmod(dir, 0o755)
        os.mkdir(self.www)

        # no larger than what most packages have when it is compressed

        rng = random.Random(1)
        versions = {'1.0.%d' % i: '%064x' % rng.getrandbits(256)
                    for i in range(20)}

        with open(self.www + '/lodash', 'w') as f:
            json.dump({'name': 'lodash', 'versions': versions}, f)

        self.redis = self.own(Redis(dir))
        registry = self.nginx('registry', pin=False)
        self.registry_port = registry.port

        for pid in registry.workers():
            os.sched_setaffinity(pid, {OTHER_CPU})

    def own(self, server):
        self.stack.callback(server.stop)
        return server

    def nginx(self, name, **options):
        return self.own(Nginx(self, name, **options))

    def store(self, **directives):
        """The load, http and location lines of an nginx that enforces."""
        directives = dict({'cache': '16m', 'cache_ttl': '1d',
                           'negative_ttl': '1d'}, **directives)

        lines = ''.join('%s %s; ' % item for item in directives.items()
                        if item[1])

        return dict(
            load='load_module %s;' % MODULE,
            http='npmtoken_store main { redis redis://127.0.0.1:%d; %s}'
                 % (self.redis.port, lines),
            location='npmtoken main;')

    def tokens(self, kind, number, **fields):
        tokens = Tokens(self.dir, kind, number, **fields)
        self.redis.pipe(tokens.commands())

        return tokens

    def load(self, nginx, tokens, expected=None, **options):
        command = [BUILD + '/bench/load']

        for name, value in options.items():
            command += ['-' + name, str(value)]

        command += [str(nginx.port), tokens.path]

        process = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                                 preexec_fn=lambda: child(OTHER_CPU))

        if process.returncode:
            raise RuntimeError('load against ' + nginx.name)

        result = json.loads(process.stdout)

        if expected and set(result['statuses']) != {str(expected)}:
            raise RuntimeError('%s answers %s, not %d'
                               % (nginx.name, result['statuses'], expected))

        return result

    def close(self):
        self.stack.close()
