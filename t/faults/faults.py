"""What may go wrong.  Each fault aims at a window in which a rule matters:
tokens are revoked right before, within or behind it."""

import contextlib
import signal
import threading
import time

from parts import kill, wait_for
from resp import Client, ReplyError, now


class Fault:
    def __init__(self, kind, ends, text):
        self.kind = kind
        self.ends = ends             # a process is ended on purpose
        self.text = text
        self.begin = now()
        self.end = None
        self.steps = []

    def step(self, what):
        self.steps.append((now(), what))


class Run:
    """What a fault may use."""

    def __init__(self, world, nodes, redis, relay, bound, rng):
        self.world = world
        self.nodes = nodes
        self.redis = redis           # the one, then the spare
        self.relay = relay
        self.bound = bound
        self.rng = rng
        self.faults = []
        self.client = Client(lambda: self.redis[0])
        self.skipped = set()
        self.verbose = False

    @contextlib.contextmanager
    def fault(self, text):
        fault = Fault(self.kind, self.kind in ENDS, text)
        self.faults.append(fault)

        if self.verbose:
            print('# ' + text, flush=True)

        try:
            yield fault.step

        finally:
            fault.end = now()

    def span(self, *factors):
        """seconds: so many bounds, more or less"""

        factor = self.rng.choice(factors or (0.3, 0.8, 1.5, 2.5))

        return self.bound * factor * (0.8 + 0.4 * self.rng.random())

    def node(self):
        return self.rng.choice(self.nodes)

    def which(self):
        """one node or all of them"""
        return self.rng.choice([n.name for n in self.nodes] + ['*'])

    def admin(self, *args):
        with contextlib.suppress(ReplyError, OSError):
            return self.client(*args)

    def burst_while(self, seconds, pause=0.03):
        """revokes now and then until the time is out"""

        end = time.monotonic() + seconds

        while time.monotonic() < end:
            self.world.burst(2)
            time.sleep(self.rng.random() * pause)


FAULTS = {}
ENDS = set()


def fault(ends=False):
    def add(f):
        kind = f.__name__.replace('_', ' ')
        FAULTS[kind] = f

        if ends:
            ENDS.add(kind)

        return f

    return add


# workers

@fault(ends=True)
def kill_worker(run):
    node = run.node()
    pid = run.rng.choice(node.workers())

    with run.fault('a worker of %s is killed' % node.name):
        kill(pid, signal.SIGKILL)
        run.world.burst()
        wait_for('another worker', lambda: len(node.workers()) == 3)


@fault(ends=True)
def kill_owner(run):
    node = run.node()
    owner = node.owner()

    if not owner:
        return

    with run.fault("the feed's owner of %s is killed" % node.name) as step:
        if run.rng.random() < 0.5:
            run.world.burst()

        kill(owner, signal.SIGKILL)
        step('killed')
        run.burst_while(run.span(0.3, 1.5))
        wait_for('another worker', lambda: len(node.workers()) == 3)


def stopped(run, pids, text):
    before = run.rng.random() < 0.5

    with run.fault(text) as step:
        if before:
            run.world.burst()

        for pid in pids:
            kill(pid, signal.SIGSTOP)

        step('stopped')

        if not before:
            run.world.burst()
            step('revoked')

        try:
            run.burst_while(run.span(0.5, 1.5, 3), 0.2)

        finally:
            for pid in pids:
                kill(pid, signal.SIGCONT)


@fault()
def stop_worker(run):
    node = run.node()
    stopped(run, [run.rng.choice(node.workers())],
            'a worker of %s is stopped' % node.name)


@fault()
def stop_owner(run):
    nodes = run.rng.sample(run.nodes, run.rng.choice([1, 2]))
    pids = [p for p in (n.owner() for n in nodes) if p]

    stopped(run, pids, "the feed's owner of %s is stopped"
            % ' and '.join(n.name for n in nodes))


@fault()
def stop_node(run):
    node = run.node()
    stopped(run, node.workers(), 'all workers of %s are stopped' % node.name)


@fault(ends=True)
def reload(run):
    node = run.node()

    with run.fault('%s is reloaded' % node.name):
        run.world.burst()
        node.reload()
        run.world.burst()


@fault(ends=True)
def upgrade(run):
    node = run.node()

    with run.fault('%s is upgraded' % node.name):
        node.upgrade()
        run.world.burst()


# connections

@fault()
def client_kill_feed(run):
    """in one transaction with revocations, so that no push can tell"""

    world = run.world

    with run.fault('CLIENT KILL of the feeds'), world.lock:
        tokens = world.some(6)
        todo = [world.kill(t, run.rng.choice(['DEL', 'revoked_at']))
                for t in tokens]

        if todo:
            listed = run.admin('CLIENT', 'LIST') or ''
            ids = [line.split()[0][3:] for line in listed.splitlines()
                   if 'name=npmtoken-feed' in line]

            for i in ids:
                todo.insert(0, (KILLED, 'absent', 'CLIENT KILL',
                                ('CLIENT', 'KILL', 'ID', i), 0))

            world.perform(todo, world.fault_client)
            world.heat()

    time.sleep(run.span(1))


class Killed:
    """takes the place of a token in a pipeline"""

    def __init__(self):
        self.changes = []
        self.touched = 0
        self.died = None


KILLED = Killed()


@fault()
def client_kill_lookups(run):
    with run.fault('CLIENT KILL of the look-ups'):
        for _ in range(3):
            listed = run.admin('CLIENT', 'LIST') or ''

            for line in listed.splitlines():
                if 'name=npmtoken-lookup' in line:
                    run.admin('CLIENT', 'KILL', 'ID', line.split()[0][3:])

            run.world.burst(4)
            time.sleep(run.rng.random() * 0.1)


@fault()
def reset_all(run):
    node = run.which()

    with run.fault('all connections to Redis are reset, node %s' % node):
        run.relay('kill', node, '*')
        run.world.burst()


@fault()
def drop_packets(run):
    if not run.relay.ns:
        run.skipped.add(run.kind + ' (no network namespace)')
        return

    with run.fault('packets are dropped') as step:
        run.relay.link('down')

        try:
            step('down')
            run.burst_while(run.span(0.5, 1.5, 3), 0.2)

        finally:
            run.relay.link('up')
            step('up')

        run.world.burst()
        time.sleep(run.span(0.5, 1))


@fault()
def hold_feed(run):
    node, way = run.which(), run.rng.choice(['down', 'down', 'up', '*'])

    with run.fault('the feed is held %s, node %s' % (way, node)) as step:
        run.relay('hold', node, 'feed', way, 1)
        step('held')

        try:
            run.world.burst()
            step('revoked')
            run.burst_while(run.span(0.8, 1.4, 2), 0.2)

        finally:
            run.relay('hold', node, 'feed', way, 0)
            step('released')

        time.sleep(run.span(1))


@fault()
def late_feed(run):
    """each chunk by another time, so a PONG comes long before a push"""

    node = run.which()
    most = int(run.bound * 1000 * run.rng.choice([0.5, 1.2, 1.9]))

    with run.fault('the feed is up to %d ms late, node %s' % (most, node)):
        run.relay('delay', node, 'feed', 'down', 0, most)

        try:
            run.burst_while(run.span(5), 0.1)

        finally:
            run.relay('delay', node, 'feed', 'down', 0, 0)


@fault()
def late_lookups(run):
    """a reply that was true when it was sent comes late"""

    node = run.which()
    most = int(run.bound * 1000 * run.rng.choice([0.2, 0.6, 2]))

    with run.fault('look-ups are up to %d ms late, node %s' % (most, node)):
        run.relay('delay', node, 'lookup', 'down', most // 4, most)

        try:
            run.burst_while(run.span(5), 0.1)

        finally:
            run.relay('delay', node, 'lookup', 'down', 0, 0)


@fault()
def late_expiry(run):
    """keys go while the reply that has their TTL is on its way"""

    world = run.world
    node = run.which()
    late = int(run.bound * 1000 * run.rng.choice([0.5, 0.8]))
    ttl = int(run.bound * 1600)

    with run.fault('look-ups of keys that go are %d ms late, node %s'
                   % (late, node)):
        run.relay('delay', node, 'lookup', 'down', late, late + 1)

        try:
            with world.lock:
                when = int(time.time() * 1000) + ttl
                tokens = world.some(10)
                todo = []

                for token in tokens:
                    token.mortal = True
                    todo.append((token, 'absent', 'TTL',
                                 ('PEXPIREAT', token.key, when), ttl))

                # the same again, to have it pushed
                again = [(KILLED, 'absent', 'TTL again', t[3], 0)
                         for t in todo]

                if todo:
                    world.perform(todo, world.fault_client)
                    world.heat()

            time.sleep(run.bound * 1.1)

            for _ in range(3):
                if again:
                    world.perform(again, world.fault_client)

                time.sleep(run.bound * 0.15)

            time.sleep(run.bound)

        finally:
            run.relay('delay', node, 'lookup', 'down', 0, 0)


@fault()
def hold_lookups(run):
    """a look-up in flight for longer than the bound"""

    node = run.which()

    with run.fault('look-ups are held, node %s' % node) as step:
        run.relay('hold', node, 'lookup', 'down', 1)
        step('held')

        try:
            # so that there are look-ups, from before their revocation
            with run.world.lock:
                tokens = run.world.some(12)
                run.world.perform([run.world.set_state(t, 'full')
                                   for t in tokens],
                                  run.world.fault_client)
                run.world.heat()

            time.sleep(run.span(0.2))
            step('changed')

            with run.world.lock:
                run.world.perform(
                    [run.world.kill(t, 'DEL') for t in tokens if t.alive]
                    or [run.world.change(t) for t in run.world.some(1)],
                    run.world.fault_client)
                run.world.heat()

            step('revoked')
            time.sleep(run.span(1.3, 1.7))

        finally:
            run.relay('hold', node, 'lookup', 'down', 0)
            step('released')

        time.sleep(run.span(0.5))


@fault()
def slow_handshake(run):
    """changes while a feed has connected, but tracks nothing yet"""

    node = run.which()
    delay = int(run.bound * 1000 * run.rng.choice([0.15, 0.3]))

    with run.fault('the feed of node %s connects with %d ms each way'
                   % (node, delay)):
        run.relay('delay', node, 'feed', 'up', delay, delay + 1)

        try:
            run.relay('kill', node, 'feed')
            run.burst_while(8 * delay / 1000, 0.02)

        finally:
            run.relay('delay', node, 'feed', 'up', 0, 0)

        time.sleep(run.span(0.5))


# Redis

def stop_process(run, seconds):
    process = run.redis[0].process

    with run.fault('Redis is stopped for %.1f s' % seconds):
        run.world.burst()
        process.send_signal(signal.SIGSTOP)

        try:
            time.sleep(seconds)

        finally:
            process.send_signal(signal.SIGCONT)

        run.world.burst()


@fault()
def stop_redis(run):
    stop_process(run, run.span())


@fault()
def debug_sleep(run):
    seconds = run.span()

    with run.fault('DEBUG SLEEP %.1f' % seconds):
        run.admin('DEBUG', 'SLEEP', '%.3f' % seconds)
        run.world.burst()


@fault(ends=True)
def restart_redis(run):
    with run.fault('Redis is restarted with its data') as step:
        run.redis[0].stop(run.rng.choice([signal.SIGKILL, signal.SIGTERM]))
        step('stopped')
        time.sleep(run.span(0.1, 1.5))
        run.redis[0].start()
        step('started')
        run.world.burst()


@fault(ends=True)
def empty_redis(run):
    """another process that knows nothing"""

    with run.fault('Redis is restarted without its data'):

        def act():
            run.redis[0].stop()
            run.redis[0].forget()
            run.redis[0].start()

        again = run.world.lost('restart without data', act)
        time.sleep(run.span(0.1, 1.3))
        run.world.make_again(again)


@fault()
def flush(run):
    command = run.rng.choice(['FLUSHALL', 'FLUSHDB'])

    with run.fault(command) as step:

        def act():
            while run.admin(command) != 'OK':
                time.sleep(0.005)

        again = run.world.lost(command, act)
        step('acknowledged')
        time.sleep(run.span(0.1, 1.5))
        run.world.make_again(again)


@fault()
def busy_script(run):
    """What was done in the same turn, by another, is acknowledged while the
    script runs, and pushed when it ends; meanwhile a PING is answered by an
    error."""

    world = run.world
    seconds = run.span(1.6, 2.2)
    process = run.redis[0].process

    script = ('local function now() local t = redis.call("TIME") '
              'return t[1] + t[2] / 1e6 end local t = now() '
              'while now() - t < %.3f do end' % seconds)

    with run.fault('a script runs for %.1f s' % seconds), world.lock:
        todo = [world.kill(t, 'DEL') for t in world.some(8)]

        if not todo or run.admin('PING') is None:
            return

        # a new connection: an earlier fault may have cut the old one

        world.fault_client.close()
        world.fault_client('PING')

        # both are there to be read when Redis goes on
        process.send_signal(signal.SIGSTOP)

        try:
            threads = [
                threading.Thread(target=world.perform,
                                 args=(todo, world.fault_client)),
                threading.Thread(target=run.admin, args=('EVAL', script, 0))]

            for thread in threads:
                thread.start()
                time.sleep(0.02)

        finally:
            process.send_signal(signal.SIGCONT)

        threads[0].join()
        world.heat()
        threads[1].join()

    time.sleep(run.span(0.5))


@fault()
def no_tracking(run):
    """who may not track must not be believed to"""

    with run.fault('CLIENT TRACKING is forbidden'):
        run.admin('ACL', 'SETUSER', 'default', '-client|tracking')

        try:
            run.relay('kill', '*', 'feed')
            time.sleep(run.span(0.3))
            run.burst_while(run.span(2.5), 0.2)

        finally:
            run.admin('ACL', 'SETUSER', 'default', '+client|tracking')


@fault()
def lazy_expiry(run):
    """keys stay until they are read: no push says that they are gone"""

    with run.fault('no active expiry'):
        run.admin('DEBUG', 'SET-ACTIVE-EXPIRE', '0')

        try:
            for _ in range(3):
                with run.world.lock:
                    run.world.perform(
                        [run.world.kill(t, 'TTL')
                         for t in run.world.some(4)]
                        or [run.world.change(t) for t in run.world.some(1)],
                        run.world.fault_client)
                    run.world.heat()

                time.sleep(run.span(1))

        finally:
            run.admin('DEBUG', 'SET-ACTIVE-EXPIRE', '1')


@fault()
def large_message(run):
    """a push with too many names to be read"""

    with run.fault('one push names 20000 keys'):
        names = ['npmtoken:token:x%d' % i for i in range(20000)]

        run.admin('MSET', *[x for n in names for x in (n, '1')])

        with run.world.lock:
            tokens = run.world.some(6)

            if tokens:
                world = run.world
                todo = [world.kill(t, 'DEL') for t in tokens]

                # all of them by one command
                t, state, how, command, ttl = todo[0]
                todo[0] = (t, state, how, command + tuple(names), ttl)

                world.perform(todo, world.fault_client)
                world.heat()

        time.sleep(run.span(1))


@fault()
def overflow(run):
    """the owner reads nothing until Redis gives its connection up"""

    node = run.node()
    owner = node.owner()

    if not owner:
        return

    with run.fault('the feed of %s overflows' % node.name):
        kill(owner, signal.SIGSTOP)

        try:
            run.world.burst()

            for i in range(40):
                names = ['npmtoken:token:%0128x' % (i * 500 + j)
                         for j in range(500)]
                run.admin('MSET', *[x for n in names for x in (n, '1')])
                run.admin('DEL', *names)

            run.world.burst()
            time.sleep(run.span(0.5, 1.5))

        finally:
            kill(owner, signal.SIGCONT)

        time.sleep(run.span(0.5))


@fault()
def switch_server(run):
    """Another Redis with the same records stands behind the address; the old
    one lives on, and connections to it stay."""

    old, new = run.redis
    relay = run.relay
    client = Client(lambda: new)

    with run.fault('another Redis behind the address') as step:
        new.forget()
        new.start()
        client('REPLICAOF', '127.0.0.1', old.port)

        wait_for('the replica', lambda: 'master_link_status:up'
                 in client('INFO', 'replication'))

        with run.world.lock:
            wait_for('the replica to have all',
                     lambda: run.admin('SET', 'faults', '1') == 'OK'
                     and run.admin('WAIT', '1', '1000') == 1)
            client('REPLICAOF', 'NO', 'ONE')
            run.redis.reverse()
            relay('server', new.name)
            step('switched')
            relay('kill', '*', 'feed')

            wait_for('the feeds', lambda: client('CLIENT', 'LIST').count(
                'name=npmtoken-feed') >= len(run.nodes)
                and client('PUBSUB', 'NUMSUB',
                           '__redis__:invalidate')[1] >= len(run.nodes))
            time.sleep(0.05)
            step('the feeds are there')

        run.burst_while(run.span(2.5), 0.1)
        old.stop()
        step('the old one is stopped')

    client.close()
