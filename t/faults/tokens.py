"""The tokens of a run, what was done to them, and when Redis said so."""

import hashlib
import math
import mmap
import struct
import threading
import time

from resp import ReplyError, now


SLOTS = 128
MAX_SLOTS = 1024

# how much later than Redis itself a record may be let go at its TTL: both
# round to milliseconds

TTL_SLACK = 10_000_000

# How much earlier, in bounds: what is left of a TTL is counted from when it
# was asked for, and that may have been a look-up's time-out ago (parts.py).

TTL_EARLY = 3

# clients write to the package "pkg"

FIELDS = {
    'full':     ('readonly', 'false', 'cidr_whitelist', '0.0.0.0/0',
                 'packages', 'pkg'),
    'readonly': ('readonly', 'true', 'cidr_whitelist', '0.0.0.0/0'),
    'limited':  ('readonly', 'false', 'cidr_whitelist', '0.0.0.0/0',
                 'packages', 'other'),
    'shut':     ('readonly', 'false', 'cidr_whitelist', '10.250.0.0/16'),
    'revoked':  ('readonly', 'false', 'revoked_at', '1700000000'),
}

# what a state lets a request do: (read, write)

OUTCOMES = {
    'full':     ('allowed', 'allowed'),
    'readonly': ('allowed', 'readonly'),
    'limited':  ('allowed', 'package'),
    'shut':     ('cidr', 'cidr'),
    'revoked':  ('revoked', 'revoked'),
    'absent':   ('unknown', 'unknown'),
}


class Change:
    """From "earliest" on "state" may be seen; from "acked" plus the bound
    on, nothing of before."""

    def __init__(self, state, how, earliest):
        self.state = state
        self.how = how
        self.earliest = earliest
        self.acked = math.inf
        self.enforced = math.inf
        self.place = None            # in which history: see ha.py


class Token:
    prefix = 'npmtoken:'

    def __init__(self, serial):
        self.serial = serial
        self.text = 'npm_%036u' % serial
        self.key = (self.prefix + 'token:'
                    + hashlib.sha512(self.text.encode()).hexdigest())
        self.changes = [Change('absent', 'not yet there', 0)]
        self.changes[0].acked = self.changes[0].enforced = 0
        self.mortal = False          # has a TTL: not to be touched
        self.touched = 0
        self.died = None
        self.lost = None             # since when Redis itself has it wrong

    @property
    def state(self):
        return self.changes[-1].state

    @property
    def alive(self):
        return self.state in ('full', 'readonly', 'limited',
                              'shut') and not self.mortal


class State:
    """What the clients read: see load.c."""

    def __init__(self, path, gap):
        size = 32 + 8 * MAX_SLOTS

        with open(path, 'wb') as f:
            f.truncate(size)

        with open(path, 'r+b') as f:
            self.map = mmap.mmap(f.fileno(), size)

        struct.pack_into('=5I', self.map, 0, 0, 0, 0, gap, SLOTS)

    def stop(self):
        struct.pack_into('=I', self.map, 0, 1)

    def pause(self, on):
        struct.pack_into('=I', self.map, 4, on)

        for _ in range(15000):
            if not on or struct.unpack_from('=I', self.map, 8)[0]:
                return

            time.sleep(0.002)

    def slot(self, i, serial, hot):
        struct.pack_into('=II', self.map, 32 + 8 * i, serial, hot)


def state_of(record):
    """the state that a record has in Redis, a dictionary"""

    if not record:
        return 'absent'

    if 'revoked_at' in record:
        return 'revoked'

    if record.get('cidr_whitelist') == FIELDS['shut'][3]:
        return 'shut'

    if record['readonly'] == 'true':
        return 'readonly'

    return 'limited' if record.get('packages') == 'other' else 'full'


class World:
    def __init__(self, client, state, bound, rng):
        """client() makes a connection to the one Redis"""

        self.state = state
        self.bound = int(bound * 1e9)
        self.rng = rng
        self.lock = threading.RLock()
        self.tokens = {}
        self.slots = [None] * SLOTS
        self.client = client()
        self.fault_client = client()
        self.counts = {}
        self.stopping = False
        self.writing = threading.Event()
        self.writing.set()
        self.error = None
        self.kills = ['DEL', 'DEL', 'UNLINK', 'revoked_at', 'revoked_at',
                      'TTL']

    # what is done to tokens

    def perform(self, todo, client=None):
        """todo: (token, state, how, commands); each is repeated until Redis
        has acknowledged it."""

        client = client or self.client
        began = now()
        changes = []

        for token, state, how, command, ttl in todo:
            change = Change(state, how, max(
                began, began + ttl * 1_000_000 - TTL_EARLY * self.bound))
            token.changes.append(change)
            token.touched = now()
            changes.append((change, command, ttl))

            if state in ('absent', 'revoked'):
                token.died = token.touched

            self.counts[how] = self.counts.get(how, 0) + 1

        while changes:
            try:
                left = []

                for (change, command, ttl), (reply, when) in zip(
                        list(changes),
                        client.pipeline([c[1] for c in changes])):

                    # whom CLIENT KILL names may be gone
                    if (isinstance(reply, ReplyError)
                            and command[0] != 'CLIENT'):
                        left.append((change, command, ttl))
                        continue

                    change.place = getattr(client, 'where', None)
                    change.acked = when + ttl * 1_000_000
                    change.enforced = when + self.bound

                    if ttl:
                        change.enforced = max(change.enforced,
                                              change.acked + TTL_SLACK)

                changes = left

            except OSError:
                changes = [c for c in changes if c[0].acked == math.inf]

            if changes:
                time.sleep(0.005)

    def set_state(self, token, state):
        command = ('HSET', token.key, 'user', 'alice') + FIELDS[state]

        return token, state, 'HSET ' + state, command, 0

    def kill(self, token, how=None):
        how = how or self.rng.choice(self.kills)

        if how == 'revoked_at':
            return self.set_state(token, 'revoked')

        if how == 'TTL':
            ttl = self.rng.randrange(1, 3 * self.bound // 1_000_000)
            token.mortal = True

            return token, 'absent', how, ('PEXPIRE', token.key, ttl), ttl

        return token, 'absent', how, (how, token.key), 0

    def change(self, token):
        """to another state of the living"""

        states = ['full', 'full', 'readonly', 'limited', 'shut']
        states = [s for s in states if s != token.state]

        return self.set_state(token, self.rng.choice(states))

    def alive(self):
        return [t for t in self.slots if t and t.alive]

    def some(self, n):
        alive = self.alive()

        return self.rng.sample(alive, min(n, len(alive)))

    def fill(self):
        """new tokens in the place of those that have been dead for long"""

        todo = []
        hold = 3 * self.bound + 1_500_000_000

        for i, token in enumerate(self.slots):
            if token and (token.died is None
                          or now() - max(token.died,
                                         token.changes[-1].earliest) < hold):
                continue

            if len(todo) == 8:
                break

            token = Token(len(self.tokens) + 1)
            self.tokens[token.serial] = token
            self.slots[i] = token

            # asked for before it is there: a negative entry
            self.state.slot(i, token.serial, 1)

            todo.append(self.set_state(token,
                                       self.rng.choice(['full', 'full',
                                                        'readonly'])))

        if todo:
            self.perform(todo)

    def heat(self):
        for i, token in enumerate(self.slots):
            if token:
                age = now() - max(token.touched, token.changes[-1].earliest)
                self.state.slot(i, token.serial, age < 3 * self.bound)

    def burst(self, n=8):
        """Revokes or restricts some at once; back when all is acknowledged"""

        with self.lock:
            todo = []

            for token in self.some(n):
                how = self.rng.choice(['DEL', 'revoked_at', 'readonly'])

                if how == 'readonly':
                    todo.append(self.set_state(token, 'readonly'))
                else:
                    todo.append(self.kill(token, how))

            if todo:
                self.perform(todo, self.fault_client)

            self.heat()

    def expect(self, n):
        """tokens that are asked for from now on, and made later"""

        with self.lock:
            found = []

            for i, token in enumerate(self.slots):
                if token and token.died and len(found) < n:
                    token = Token(len(self.tokens) + 1)
                    self.tokens[token.serial] = token
                    self.slots[i] = token
                    self.state.slot(i, token.serial, 1)
                    found.append(token)

        return found

    def make(self, tokens):
        with self.lock:
            todo = [self.set_state(t, 'full') for t in tokens
                    if t.state == 'absent' and not t.died]

            if todo:
                self.perform(todo, self.fault_client)

    # whatever was there is gone, and is made again

    def lost(self, how, act):
        """act() makes Redis lose everything, and returns when it has"""

        with self.lock:
            began = now()
            changes = []

            tokens = [t for t in self.tokens.values()
                      if (t.state != 'absent' or t.mortal)
                      and began - t.touched < 120_000_000_000]

            for token in tokens:
                change = Change('absent', how, began)
                changes.append(change)
                token.changes.append(change)
                token.touched = began

            act()
            acked = now()

            for change in changes:
                change.acked = acked
                change.enforced = acked + self.bound

            self.counts[how] = self.counts.get(how, 0) + len(changes)

            again = []

            for token in self.slots:
                if token is None or token.state != 'absent':
                    continue

                if token.mortal or token.died or self.rng.random() < 0.3:
                    token.died = token.died or acked
                    continue

                again.append(token)

            self.heat()

        return again

    def make_again(self, tokens):
        self.make(tokens)

    def check_lost(self, read, kept, since):
        """Finds what was acknowledged since then, and Redis has lost: it is not
        in the history of the one that is the master now, or the record is
        another one.  That is no node's fault; it is put right.  Returns how
        many tokens it was of how many."""

        with self.lock:
            tokens = [t for t in self.tokens.values()
                      if not t.mortal and t.lost is None
                      and (t in self.slots or t.touched > since)]

            for token, record in zip(tokens, read([t.key for t in tokens])):
                if (state_of(record) != token.state
                        or not all(kept(c.place) for c in token.changes
                                   if c.acked > since and c.place)):
                    token.lost = since
                    token.died = now()

            lost = [t for t in tokens if t.lost]

            if lost:
                self.perform([self.kill(t, 'DEL') for t in lost])

        return len(lost), len(tokens)

    # the writer, a thread

    def write_once(self):
        rng = self.rng

        self.fill()

        dice = rng.random()

        if dice < 0.40:
            todo = [self.change(t) for t in self.some(1)]

        elif dice < 0.75:
            todo = [self.kill(t) for t in self.some(1)]

        elif dice < 0.80:
            todo = [self.kill(t, 'DEL') for t in self.some(6)]

        else:
            # one after the other: a reply of between may be cached
            tokens = self.some(1)
            todo = [self.kill(t) for t in tokens]

            for token in tokens:
                token.mortal, mortal = False, token.mortal
                self.perform([self.change(token)])
                self.heat()
                time.sleep(rng.random() * 0.05)
                token.mortal = mortal

        if todo:
            self.perform(todo)

        self.heat()

    def write(self):
        try:
            while not self.stopping:
                self.writing.wait(0.1)

                if self.writing.is_set():
                    with self.lock:
                        self.write_once()

                time.sleep(self.rng.random() * 0.04)

        except BaseException as e:
            self.error = e
            raise
