"""Redis as it is operated: a master with replicas and sentinels, or a cluster.

Each of them knows where the store is ("master"), which servers there are, and
how a writer reaches it; all on loopback."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import threading

from parts import die_with_parent, wait_for
from resp import Client, ReplyError, encode, now


# how long a server may be silent, in milliseconds, before it is succeeded
SILENCE = 1000

# how long a writer waits for replicas, in milliseconds
WAIT = 400

CONFIG = '''
port %(port)d
bind 127.0.0.1
dir %(dir)s
logfile %(dir)s/log
appendonly yes
save ""
enable-debug-command yes
repl-diskless-sync-delay 0
repl-ping-replica-period 1
repl-timeout 5
aclfile %(dir)s/users
masteruser replica
masterauth replica
%(more)s
'''

# by a name each, so that one of them can be shut out: a part of the network
USERS = '''user default on nopass ~* &* +@all
user replica on >replica +psync +replconf +ping
user sentinel on >sentinel ~* &* +@all
'''

SENTINEL = '''
port %(port)d
bind 127.0.0.1
dir %(dir)s
logfile %(dir)s/log
sentinel monitor faults 127.0.0.1 %(master)d 2
sentinel auth-user faults sentinel
sentinel auth-pass faults sentinel
sentinel down-after-milliseconds faults %(silence)d
sentinel failover-timeout faults 4000
sentinel parallel-syncs faults 1
'''


def free_ports(count):
    """ports whose neighbour for the bus of a cluster is free as well"""

    found = []

    while len(found) < count:
        # below those that the system gives away by itself
        port = random.randrange(11000, 22000)

        with contextlib.suppress(OSError):
            for p in port, port + 10000:
                with socket.socket() as s:
                    s.bind(('127.0.0.1', p))

            if port not in found:
                found.append(port)

    return found


class Server:
    def __init__(self, dir, name, port, more='', sentinel=False):
        self.dir = os.path.join(dir, name)
        self.name = name
        self.port = port
        self.sentinel = sentinel
        self.process = None
        os.mkdir(self.dir)

        with open(self.dir + '/users', 'w') as f:
            f.write(USERS)

        text = more if sentinel else CONFIG
        values = {'port': port, 'dir': self.dir, 'more': more}

        # it is written anew by the server itself: CONFIG REWRITE
        with open(self.dir + '/conf', 'w') as f:
            f.write(text % values)

        self.clients = threading.local()

    def start(self):
        command = ['redis-server', self.dir + '/conf']

        if self.sentinel:
            command.append('--sentinel')

        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent)

        wait_for(self.name, lambda: self.ask('PING') == 'PONG')

    @property
    def client(self):
        """each thread has its own"""

        if not hasattr(self.clients, 'client'):
            self.clients.client = TcpClient(
                lambda: ('127.0.0.1', self.port))

        return self.clients.client

    def ask(self, *args):
        """None if it does not answer, or with an error"""

        with contextlib.suppress(OSError, ReplyError):
            return self.client(*args)

    def signal(self, sig):
        if self.process:
            self.process.send_signal(sig)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None


class TcpClient(Client):
    """"server" returns a host and a port."""

    timeout = 3

    def connect(self):
        if self.sock:
            return

        self.sock = socket.create_connection(self.server(), self.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile('rb')


class Unfinished(OSError):
    """It may be done, and is not acknowledged."""


class Writer(TcpClient):
    """Commands that are done when so many replicas have them; as an issuer of
    tokens writes.  It asks anew where the master is after each failure."""

    def __init__(self, set, replicas):
        super().__init__(set.address)
        self.set = set
        self.replicas = replicas

    def pipeline(self, commands):
        others = {}

        try:
            self.connect()
            self.sock.sendall(b''.join(map(encode, commands)))

            replies = [self.read() for _ in commands]
            asked = [self.asked(r) for r in replies]

            for i, address in enumerate(asked):
                if address:
                    replies[i] = self.elsewhere(others, address, commands[i])

            for writer in list(others.values()) + [self] * (None in asked):
                writer.confirm()

            when = now()
            self.where = self.place()

        except OSError:
            self.close()
            raise

        finally:
            for other in others.values():
                other.close()

        for reply in replies:
            yield reply, when

    def confirm(self):
        if not self.replicas:
            return

        self.sock.sendall(encode(('WAIT', self.replicas, WAIT)))
        found = self.read()

        if not isinstance(found, int) or found < self.replicas:
            raise Unfinished('%s replicas' % found)

    def place(self):
        """where in which history of writes it is now"""

        if not self.set.histories:
            return None

        self.sock.sendall(encode(('INFO', 'replication')))

        return History(self.read())

    def asked(self, reply):
        """where an ASK leads to; other redirections end the connection"""

        if not isinstance(reply, ReplyError):
            return None

        words = str(reply).split()

        if words[0] == 'ASK':
            host, _, port = words[2].rpartition(':')
            return host or '127.0.0.1', int(port)

        if words[0] in ('MOVED', 'READONLY', 'CLUSTERDOWN', 'LOADING',
                        'TRYAGAIN', 'MASTERDOWN', 'NOREPLICAS', 'UNBLOCKED'):
            raise Unfinished(str(reply))

        return None

    def elsewhere(self, others, address, command):
        """where ASK leads to"""

        if address not in others:
            others[address] = Follower(address, self.replicas)
            others[address].connect()

        other = others[address]
        other.sock.sendall(encode(('ASKING',)) + encode(command))
        other.read()
        reply = other.read()

        if isinstance(reply, ReplyError):
            raise Unfinished(str(reply))

        return reply


class Follower(Writer):
    def __init__(self, address, replicas):
        TcpClient.__init__(self, lambda: address)
        self.replicas = replicas


class History:
    """Writes have the name of their master's history and an offset in it; who
    is promoted has the history of before up to an offset."""

    def __init__(self, text):
        found = dict(line.split(':', 1) for line in text.splitlines()
                     if ':' in line)

        self.name = found['master_replid']
        self.offset = int(found['master_repl_offset'])
        self.before = found['master_replid2']
        self.until = int(found['second_repl_offset'])

    def has(self, place):
        return (place.name == self.name
                or (place.name == self.before and place.offset < self.until))


class Set:
    """What both have."""

    prefix = 'npmtoken:'

    # whether what was acknowledged may be lost: of a cluster's master here
    # the one replica has all of it
    histories = False

    def servers_start(self, servers, stack):
        for server in servers:
            stack.callback(server.stop)
            server.start()

    def master_server(self):
        """the one that the store is at, or None"""

        port = self.address_or_none()

        return next((s for s in self.servers
                     if port and s.port == port[1]), None)

    def address_or_none(self):
        with contextlib.suppress(OSError):
            return self.address()

    def replicas_of(self, master):
        text = master.ask('INFO', 'replication') or ''
        ports = [int(line.split('port=')[1].split(',')[0])
                 for line in text.splitlines() if line.startswith('slave')
                 and 'port=' in line and 'state=online' in line]

        return [s for s in self.servers if s.port in ports]

    def well(self):
        """all run, each follows or is followed, as they should be"""

        master = self.master_server()

        return (master and len(self.replicas_of(master)) == self.replicas
                and (master.ask('ROLE') or [''])[0] == 'master')

    def heal(self):
        for server in self.everything:
            if server.process is None:
                server.start()
            else:
                server.signal(signal.SIGCONT)

        for server in self.everything:
            wait_for(server.name, lambda: server.ask('PING') == 'PONG')

            server.ask('ACL', 'SETUSER', 'replica', 'on')

            for user in 'sentinel', 'node':
                server.ask('ACL', 'SETUSER', user, '+@all')

        wait_for('a healthy set of servers', self.well, 60)

    # more of the block of a node
    store = ''

    @staticmethod
    def shut_out(servers, user):
        for server in servers:
            server.ask('ACL', 'SETUSER', user, '-@all')
            server.ask('CLIENT', 'KILL', 'USER', user)

    def cut(self, master, count):
        """so many replicas lose their link, until heal()"""

        master.ask('ACL', 'SETUSER', 'replica', 'off')
        listed = master.ask('CLIENT', 'LIST', 'TYPE', 'replica') or ''

        for line in listed.splitlines()[:count]:
            master.ask('CLIENT', 'KILL', 'ID', line.split()[0][3:])


class Sentinels(Set):
    replicas = 2
    histories = True

    def __init__(self, dir, stack):
        ports = free_ports(6)
        self.servers = [Server(dir, 'redis%d' % i, port)
                        for i, port in enumerate(ports[:3])]

        self.servers_start(self.servers, stack)

        for server in self.servers[1:]:
            server.client('REPLICAOF', '127.0.0.1', ports[0])

        self.sentinels = [
            Server(dir, 'sentinel%d' % i, port,
                   SENTINEL % dict(port=port, dir='%(dir)s',
                                   master=ports[0], silence=SILENCE),
                   sentinel=True) for i, port in enumerate(ports[3:])]

        self.servers_start(self.sentinels, stack)
        self.everything = self.servers + self.sentinels

        with open(dir + '/node', 'w') as f:
            f.write('node')

        self.store = ('redis_sentinel_user node; '
                      'redis_sentinel_password_file %s/node; ' % dir)

        for sentinel in self.sentinels:
            sentinel.client('ACL', 'SETUSER', 'node', 'on', '>node', 'allkeys',
                            'allchannels', '+@all')
            wait_for('the sentinels', lambda: self.knows(sentinel))

        wait_for('the replicas', self.well)

    @staticmethod
    def knows(sentinel):
        state = sentinel.ask('SENTINEL', 'MASTER', 'faults') or []
        state = dict(zip(state[::2], state[1::2]))

        return (state.get('num-slaves') == '2'
                and state.get('num-other-sentinels') == '2')

    @property
    def url(self):
        return 'redis-sentinel://%s/faults' % ','.join(
            '127.0.0.1:%d' % s.port for s in self.sentinels)

    def address(self):
        for sentinel in self.sentinels:
            found = sentinel.ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME',
                                 'faults')
            if found:
                return found[0], int(found[1])

        raise ConnectionError('no sentinel knows the master')

    def planned(self):
        old = self.address_or_none()
        self.sentinels[0].ask('SENTINEL', 'FAILOVER', 'faults')

        return old


class Cluster(Set):
    prefix = '{npmtoken}:'
    replicas = 1
    masters = 3

    def __init__(self, dir, stack):
        ports = free_ports(6)

        more = ('cluster-enabled yes\n'
                'cluster-config-file nodes\n'
                'cluster-node-timeout %d\n'
                'cluster-replica-validity-factor 0\n'
                'cluster-migration-barrier 10\n'
                'cluster-allow-replica-migration no\n' % SILENCE)

        self.servers = [Server(dir, 'redis%d' % i, port, more)
                        for i, port in enumerate(ports)]

        self.servers_start(self.servers, stack)
        self.everything = self.servers

        subprocess.run(
            ['redis-cli', '--cluster', 'create']
            + ['127.0.0.1:%d' % p for p in ports]
            + ['--cluster-replicas', '1', '--cluster-yes'], check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

        self.slot = self.servers[0].client('CLUSTER', 'KEYSLOT', self.prefix)

        for server in self.servers:
            wait_for('the cluster', lambda: 'cluster_state:ok' in (
                server.ask('CLUSTER', 'INFO') or ''))

        wait_for('the replicas', self.well)

    @property
    def url(self):
        return 'redis-cluster://' + ','.join(
            '127.0.0.1:%d' % s.port for s in self.servers)

    def shards(self, server):
        """(first, last, master's port, its id) of each range of slots"""

        return [(s[0], s[1], s[2][1], s[2][2])
                for s in server.ask('CLUSTER', 'SLOTS') or []]

    def address(self):
        # the one that most of them name

        votes = {}

        for server in self.servers:
            for first, last, port, _ in self.shards(server):
                if first <= self.slot <= last:
                    votes[port] = votes.get(port, 0) + 1

        if not votes:
            raise ConnectionError('nobody knows the owner of the slot')

        return '127.0.0.1', max(votes, key=votes.get)

    def well(self):
        if not super().well():
            return False

        # every one knows the same owner, and all is covered

        port = self.address()[1]

        for server in self.servers:
            owners = [p for first, last, p, _ in self.shards(server)
                      if first <= self.slot <= last]

            if (owners != [port] or 'cluster_state:ok' not in (
                    server.ask('CLUSTER', 'INFO') or '')):
                return False

        return True

    def planned(self):
        old = self.address_or_none()
        master = self.master_server()

        for replica in self.replicas_of(master):
            replica.ask('CLUSTER', 'FAILOVER')

        return old

    def other_master(self, rng):
        port = self.address()[1]
        ports = sorted({p for _, _, p, _ in self.shards(self.servers[0])
                        if p != port})
        chosen = rng.choice(ports)

        return next(s for s in self.servers if s.port == chosen)

    def move(self, source, target, pause):
        """the slot, with all its keys, as redis-cli does it; pause() between
        two steps"""

        slot = self.slot
        ids = [s.client('CLUSTER', 'MYID') for s in (source, target)]

        target.client('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[0])
        source.client('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[1])
        pause()

        while True:
            keys = source.client('CLUSTER', 'GETKEYSINSLOT', slot, 20)

            if not keys:
                break

            source.client('MIGRATE', '127.0.0.1', target.port, '', 0, 5000,
                          'KEYS', *keys)
            pause()

        target.client('CLUSTER', 'SETSLOT', slot, 'NODE', ids[1])
        pause()
        source.client('CLUSTER', 'SETSLOT', slot, 'NODE', ids[1])

        for server in self.servers:
            if server not in (source, target):
                server.ask('CLUSTER', 'SETSLOT', slot, 'NODE', ids[1])

        # else the next move could get no higher number than this one, and
        # they quarrel about the slot

        epoch = self.epoch_of(target, ids[1])

        for server in self.servers:
            wait_for('the news', lambda: self.epoch_of(server, ids[1])
                     == epoch)

    @staticmethod
    def epoch_of(server, id):
        """the number of the last change of that node, as it is known there"""

        for line in (server.ask('CLUSTER', 'NODES') or '').splitlines():
            if line.startswith(id):
                return line.split()[6]


SETS = {'sentinel': Sentinels, 'cluster': Cluster}
