"""The benchmarks.  Each function returns what report.py prints."""

import os
import re
import statistics
import subprocess
import time

import servers
from servers import BUILD, LUA, ROOT, child, command, key, wait_for


# What stands side by side.  The tokens of a row are asked in turn; "whole"
# are all of a kind.

class Row:
    def __init__(self, name, nginx, tokens, number, method='GET',
                 expected=200, contents=('file',)):
        self.name = name
        self.nginx = nginx
        self.tokens = tokens
        self.number = number
        self.method = method
        self.expected = expected
        self.contents = contents


def limit_req(bench):
    return dict(http='limit_req_zone $http_authorization zone=a:64m '
                     'rate=1000000r/s;',
                location='limit_req zone=a burst=1000000 nodelay;')


def auth_request(bench):
    return dict(location='auth_request /auth;',
                server='location = /auth { internal; auth_request off; '
                       'return 204; }')


def lua(bench):
    """None where the module of nginx is not installed."""
    if not os.path.exists(LUA + '/ngx_http_lua_module.so'):
        return None

    return dict(
        load='load_module %s/ndk_http_module.so;\n'
             'load_module %s/ngx_http_lua_module.so;' % (LUA, LUA),
        http='lua_package_path "%s/bench/?.lua;/usr/share/lua/5.1/?.lua;;";\n'
             'init_by_lua_block { peer = require "peer"; peer.port = %d }'
             % (ROOT, bench.redis.port),
        location='access_by_lua_block { peer.check() }')


PEERS = [('limit_req', limit_req), ('auth_request', auth_request),
         ('lua', lua)]


def microseconds(value):
    return value / 1000


def percentile(values, part):
    values = sorted(values)

    return values[min(len(values) - 1, int(len(values) * part))]


# instructions

def callgrind(bench, name, tokens, expected, method, path, options):
    """What one request costs: the difference of two runs."""
    few, many = 500, 2500
    runs, lines = [], []

    for number in few, many:
        for _ in range(5):
            total, code, lookups = callgrind_run(
                bench, name, number, tokens, expected, method, path, options)

            # with one more or less the difference would be of more than hits

            if lookups in (0, tokens.number, number):
                break
        else:
            raise RuntimeError('%s: %d look-ups' % (name, lookups))

        runs.append(total)
        lines.append(code)

    found = {what: (value - runs[0].get(what, 0)) / (many - few)
             for what, value in runs[1].items()}

    # what each request comes by, but not what is done once in a while

    found['lines'] = sum(
        number - lines[0].get(line, 0) > 0.9 * (many - few)
        for line, number in lines[1].items())

    return found


def callgrind_run(bench, name, number, tokens, expected, method, path,
                  options):
    out = '%s/%s.callgrind' % (bench.dir, name)

    nginx = bench.nginx(
        name, single=True, pin=False,
        wrapper=['valgrind', '--tool=callgrind', '--dump-instr=yes',
                 '--log-file=/dev/null', '--callgrind-out-file=' + out],
        **options)

    # where there is a feed, its epoch begins before the first look-up

    if 'revocation_bound' in options.get('http', ''):
        wait_for('the feed', lambda: ' sub=1 ' in bench.redis('CLIENT',
                                                              'LIST'))

    time.sleep(0.5)

    before = bench.redis.lookups()
    bench.load(nginx, tokens, expected=expected, c=1, n=number, m=method,
               p=path)
    lookups = bench.redis.lookups() - before
    nginx.stop()

    return read_callgrind(out) + (lookups,)


# What the C library does within malloc() depends on what lies on the heap by
# chance, and differs by a hundred or two where nothing is allocated at all.

ALLOCATOR = re.compile(r'_?_?(int_|mid_)?(malloc|free|calloc|realloc|memalign)'
                       r'(_.*)?$|posix_memalign$|unlink_chunk|tcache|sysmalloc'
                       r'|alloc_perturb|free_perturb|systrim|arena_get')

LOCKS = {'ngx_shmtx_lock', 'ngx_shmtx_trylock', 'ngx_rwlock_wlock',
         'ngx_rwlock_rlock', 'pthread_mutex_lock', 'ngx_spinlock'}
ALLOCATIONS = {'malloc', 'calloc', 'realloc', 'posix_memalign', 'memalign',
               'aligned_alloc', 'ngx_slab_alloc', 'ngx_slab_alloc_locked',
               'mmap', 'brk'}


def read_callgrind(path):
    """
    Instructions by function and in all, calls for locks and memory; and how
    often each cache line of code is come by.
    """
    names = {}
    counts = dict(total=0, locks=0, allocations=0, allocator=0)
    lines = {}
    binary = function = callee = None
    called = False
    address = 0

    with open(path) as f:
        for line in f:
            match = re.match(r'(c?fn)=\((\d+)\)(?: (.*))?$', line)

            if line.startswith('ob='):
                binary = line.split(')')[0]

            elif match:
                if match[3]:
                    names[match[2]] = re.sub("[@'].*", '', match[3])

                if match[1] == 'fn':
                    function = names[match[2]]
                else:
                    callee = names[match[2]]

            elif line.startswith('calls='):
                number = int(line[len('calls='):].split()[0])
                counts['locks'] += number if callee in LOCKS else 0
                counts['allocations'] += (number if callee in ALLOCATIONS
                                          else 0)
                called = True

            elif line[0] in '0123456789+-*':
                where, _, cost = line.split()
                address = (int(where, 16) if where[0] == '0' else
                           address + int(where.replace('*', '0'), 0))

                # what stands below a call is the cost of what is called

                if not called:
                    cost = int(cost)
                    place = binary, address // 64
                    lines[place] = max(lines.get(place, 0), cost)
                    counts[function] = counts.get(function, 0) + cost
                    counts['total'] += cost
                    counts['allocator'] += (cost if ALLOCATOR.match(function)
                                            else 0)

                called = False

    return counts, lines


def instructions(bench):
    full = bench.tokens('callgrind', 100)
    readonly = bench.tokens('callgrind-readonly', 100, readonly='true')
    narrow = bench.tokens('callgrind-narrow', 100,
                          cidr_whitelist='10.0.0.0/8,127.0.0.0/8')
    unknown = servers.Tokens(bench.dir, 'callgrind-unknown', 100)

    # the feed has no timer within the time that this takes

    hit = bench.store(revocation_bound='60s', lookup_timeout='10s')
    miss = bench.store(cache='off', lookup_timeout='10s')

    identity = dict(hit, location=hit['location']
                    + ' npmtoken_identity X-Npm-User;')

    file, proxy = '/lodash', '/proxy/lodash'

    cases = [
        ('bare', full, 200, 'GET', file, {}),
        ('hit', full, 200, 'GET', file, hit),
        ('hit, two CIDRs', narrow, 200, 'GET', file, hit),
        ('denied: read-only PUT', readonly, 403, 'PUT', file, hit),
        ('denied: unknown, cached', unknown, 401, 'GET', file, hit),
        ('miss: cache off', full, 200, 'GET', file, miss),
    ]

    for name, peer in PEERS:
        if peer(bench):
            cases.append((name, full, 200, 'GET', file, peer(bench)))

    cases += [
        ('bare, proxied', full, 200, 'GET', proxy, {}),
        ('hit, proxied', full, 200, 'GET', proxy, hit),
        ('hit, proxied, identity', full, 200, 'GET', proxy, identity),
    ]

    result = {}

    for name, *rest in cases:
        result[name] = callgrind(bench, re.sub('[^a-z]+', '-', name), *rest)

    return result


# throughput, CPU, latency

def rows(bench):
    full = bench.tokens('full', 10000)
    readonly = bench.tokens('readonly', 10000, readonly='true')
    unknown = servers.Tokens(bench.dir, 'unknown', 1000)
    million = bench.tokens('million', bench.million)
    both = ('file', 'proxy')

    bare = bench.nginx('bare')
    hit = bench.nginx('hit', **bench.store())
    large = bench.nginx('large', **bench.store(cache='256m'))
    miss = bench.nginx('miss', **bench.store(cache='off'))

    found = [
        Row('bare', bare, full, 10000, contents=both),
        Row('hit, 1 token', hit, full, 1),
        Row('hit, 10,000 tokens', hit, full, 10000, contents=both),
        Row('hit, {:,} tokens'.format(bench.million), large, million,
            bench.million),
        Row('miss: cache off', miss, full, 10000, contents=both),
        Row('denied: read-only PUT', hit, readonly, 10000, 'PUT', 403),
        Row('denied: unknown, cached', hit, unknown, 1000, 'GET', 401),
    ]

    for name, peer in PEERS:
        if peer(bench):
            found.append(Row(name, bench.nginx(name, **peer(bench)), full,
                             10000, contents=both))

    return found


def warm(bench, rows):
    """Each token once; what is kept of the most, and what it cost."""
    kept = {}

    for row in rows:
        before = bench.redis.lookups()
        filled = bench.load(row.nginx, row.tokens, expected=row.expected,
                            l=row.number, n=row.number, m=row.method, c=32)

        if row.number == bench.million:
            first = bench.redis.lookups() - before
            again = min(bench.million, 250000)

            before = bench.redis.lookups()
            bench.load(row.nginx, row.tokens, expected=200, l=row.number,
                       n=again, c=32)

            misses = bench.redis.lookups() - before
            kept = dict(tokens=row.number, lookups=first, again=again,
                        misses=misses, seconds=filled['seconds'])

    return kept


def side_by_side(bench):
    found = rows(bench)
    kept = warm(bench, found)
    samples = {}

    for number in range(bench.rounds):
        turn = [(content, row) for content in ('file', 'proxy')
                for row in found if content in row.contents]

        # whoever is second is not always second

        if number % 2:
            turn.reverse()

        for content, row in turn:
            sample = one_round(bench, row, content, number)
            samples.setdefault((content, row.name), []).append(sample)

    return dict(kept=kept, table=summary(samples))


def one_round(bench, row, content, number):
    options = dict(m=row.method, l=row.number,
                   p='/lodash' if content == 'file' else '/proxy/lodash')

    # the tokens go on where the last round stopped asking

    first = number * 100003 % row.number
    before = row.nginx.cpu()

    busy = bench.load(row.nginx, row.tokens, row.expected, c=64, f=first,
                      d=bench.seconds, **options)

    cpu = row.nginx.cpu() - before

    alone = bench.load(row.nginx, row.tokens, row.expected, c=1, f=first,
                       d=bench.seconds / 2, **options)

    return dict(cpu=cpu / busy['requests'] / 1000,
                rate=busy['requests'] / busy['seconds'],
                p50=alone['p50'] / 1000, p99=alone['p99'] / 1000)


def summary(samples):
    """Medians; what is compared with bare is so within a round."""
    table = {}

    for (content, name), rounds in samples.items():
        bare = samples[content, 'bare']
        table.setdefault(content, {})[name] = dict(
            {what: statistics.median(r[what] for r in rounds)
             for what in ('cpu', 'rate', 'p50', 'p99')},
            low=min(r['cpu'] for r in rounds),
            high=max(r['cpu'] for r in rounds),
            more=statistics.median(
                r['cpu'] - b['cpu'] for r, b in zip(rounds, bare)),
            share=statistics.median(
                r['cpu'] / b['cpu'] - 1 for r, b in zip(rounds, bare)),
            ratio=statistics.median(
                r['rate'] / b['rate'] for r, b in zip(rounds, bare)))

    return table


def pair(bench):
    """The closest comparison: one after the other in short turns."""
    tokens = bench.tokens('pair', 10000)
    starts = [pair_rounds(bench, tokens, number)
              for number in range(bench.starts)]

    def mean(figure):
        values = [statistics.median(map(figure, rounds)) for rounds in starts]
        error = statistics.stdev(values) / len(values)**0.5

        return statistics.mean(values), error

    return {name: dict(zip(
        ('cpu', 'share', 'ratio', 'ahead', 'error'),
        (mean(lambda r: r[name]['cpu'])[0],
         mean(lambda r: r[name]['cpu'] / r['bare']['cpu'])[0],
         mean(lambda r: r[name]['rate'] / r['bare']['rate'])[0],
         mean(lambda r: r['hit']['rate'] / r[name]['rate'])[0],
         mean(lambda r: r[name]['cpu'] / r['bare']['cpu'])[1])))
        for name in [case[0] for case in pair_cases(bench)]}


def pair_cases(bench):
    return [('bare', {}, 10000), ('hit', bench.store(), 10000),
            ('hit, 1 token', bench.store(), 1)] + [
        (name, peer(bench), 10000) for name, peer in PEERS if peer(bench)]


def pair_rounds(bench, tokens, number):
    """
    By new processes: where the memory of one happens to lie makes a
    difference of one or two in a hundred, as long as it runs.
    """
    found = [Row(name, bench.nginx('pair-%d-%d' % (number, i), **options),
                 tokens, many)
             for i, (name, options, many) in enumerate(pair_cases(bench))]

    warm(bench, found)

    rounds = []

    for turn in range(bench.pairs):
        order = found[turn % len(found):] + found[:turn % len(found)]
        rounds.append({row.name: short_round(bench, row) for row in (
            order if turn % 2 else order[::-1])})

    for row in found:
        row.nginx.stop()

    return rounds


def short_round(bench, row):
    """Each of 10,000 twice, after it has been there once in this turn."""
    bench.load(row.nginx, row.tokens, 200, c=64, n=10000, l=row.number)

    before = row.nginx.cpu()
    load = bench.load(row.nginx, row.tokens, 200, c=64, n=20000, l=row.number)

    return dict(cpu=(row.nginx.cpu() - before) / load['requests'] / 1000,
                rate=load['requests'] / load['seconds'])


# reload

def reload(bench):
    """A steady 2,000 requests per second, and one reload in the middle."""
    tokens = bench.tokens('reload', 2000)
    nginx = bench.nginx('reload', **bench.store())
    samples = bench.dir + '/reload.samples'
    times = []

    bench.load(nginx, tokens, 200, n=tokens.number, c=8)

    load = subprocess.Popen(
        [BUILD + '/bench/load', '-c', '16', '-r', '2000', '-d', '6', '-o',
         samples, str(nginx.port), tokens.path],
        stdout=subprocess.DEVNULL, preexec_fn=lambda: child(servers.OTHER_CPU))

    time.sleep(3)

    lookups = bench.redis.lookups()
    old = nginx.workers()
    times.append(time.monotonic_ns())
    nginx.reload()

    wait_for('the old worker to end',
             lambda: not set(old) & set(nginx.workers()))
    times.append(time.monotonic_ns())

    if load.wait(60):
        raise RuntimeError('load during a reload')

    lookups = bench.redis.lookups() - lookups

    before, during, after = [], [], []
    bad = 0

    with open(samples) as f:
        for line in f:
            due, latency, status = map(int, line.split())
            bad += status != 200

            # what the old worker has taken long with counts, too

            if due + latency < times[0]:
                before.append(latency)
            elif due < times[1] + 10**9:
                during.append(latency)
            else:
                after.append(latency)

    def figures(values):
        return [microseconds(v) for v in (
            percentile(values, 0.5), percentile(values, 0.99), max(values))]

    return dict(before=figures(before), during=figures(during),
                after=figures(after), requests=len(before + during + after),
                bad=bad, lookups=lookups, tokens=tokens.number,
                seconds=(times[1] - times[0]) / 1e9)


# revocations

def revocations(bench):
    tokens = bench.tokens('revoked', bench.revocations)

    # not kept to processors: of three processes that talk in turn no two
    # are to wait for the same one

    nginx = bench.nginx('revoke', pin=False, **bench.store())
    bare = bench.nginx('revoke-bare', pin=False)
    bench.redis.unpin()
    path = bench.dir + '/revoked.names'

    with open(path, 'w') as f:
        for token in tokens:
            f.write('%s %s\n' % (token, servers.PREFIX + key(token)))

    process = subprocess.run(
        [BUILD + '/bench/revoke', str(nginx.port), str(bare.port),
         str(bench.redis.port), path],
        stdout=subprocess.PIPE, text=True, preexec_fn=child)

    bench.redis.pin()

    if process.returncode:
        raise RuntimeError('revoke')

    lines = [list(map(int, line.split()))
             for line in process.stdout.splitlines()]

    columns = dict(zip(('sent', 'push', 'begun', 'told', 'hit', 'miss',
                        'bare', 'late'), zip(*lines)))

    # What a plain subscriber could do at best: the news says that a record
    # has changed, so the first request after it is looked up.

    columns['gate'] = [max(push, 0) + miss for push, miss in
                       zip(columns['push'], columns['miss'])]

    figures = {name: [microseconds(v) for v in (
        percentile(values, 0.5), percentile(values, 0.99), max(values))]
        for name, values in columns.items() if name != 'late'}

    return dict(number=len(lines), late=sum(columns['late']), **figures)


# one look-up

def coalescing(bench):
    """10,000 requests at once for tokens that are not cached."""
    result = []

    for workers in 1, 2:
        for conns, pause in (100, 0), (10000, 2000):
            tokens = bench.tokens('new-%d-%d' % (workers, conns), 1)
            nginx = bench.nginx(
                'coalescing-%d-%d' % (workers, conns), workers=workers,
                pin=False, **bench.store(
                    lookup_timeout='20s',
                    revocation_bound='60s'))

            # its feed is up, and its connections are: the token is unknown

            other = servers.Tokens(bench.dir, 'other', 200)
            bench.load(nginx, other, 401, n=200, c=50)

            before = bench.redis.lookups()

            if pause:
                bench.redis('CLIENT', 'PAUSE', str(pause), 'ALL')

            load = bench.load(nginx, tokens, 200, n=10000, c=conns)

            result.append(dict(
                workers=workers, connections=conns,
                lookups=bench.redis.lookups() - before, p50=load['p50']))

            nginx.stop()

    return result


# a burst

def burst(bench):
    """100,000 revocations: who else has to be looked up again."""
    innocent = bench.tokens('innocent', 10000)
    result = []

    for cache in '8m', '64m':
        guilty = bench.tokens('guilty', 100000)
        nginx = bench.nginx('burst-' + cache, **bench.store(cache=cache))

        # asked until there is nothing to look up: the feed has begun, and
        # nothing of the last round is still on its way

        wait_for('a warm cache',
                 lambda: again(bench, nginx, innocent) == 0)

        begin = time.monotonic()
        bench.redis.pipe(guilty.deletions())
        seconds = time.monotonic() - begin

        # the news of the last one has come when its own token is refused;
        # what came before it has come as well

        last = bench.tokens('last-' + cache, 1)
        bench.load(nginx, last, 200, n=2, c=1)
        bench.redis.pipe(last.deletions())

        wait_for('the last revocation', lambda: set(
            bench.load(nginx, last, n=1, c=1)['statuses']) == {'401'})

        counters = counters_of(cache)

        result.append(dict(
            cache=cache, counters=counters, seconds=seconds,
            innocent=innocent.number, lookups=again(bench, nginx, innocent),
            expected=innocent.number * (1 - (1 - 1 / counters)**100000)))

        nginx.stop()

    return result


def again(bench, nginx, tokens):
    before = bench.redis.lookups()
    bench.load(nginx, tokens, 200, n=tokens.number, c=8)

    return bench.redis.lookups() - before


def counters_of(cache):
    """A sixteenth of the zone, four bytes each, a power of two."""
    return (int(cache[:-1]) << 20) // 16 // 4


# the table by itself

def table():
    """Its own program: see table.c."""
    return subprocess.run(
        ['make', '--no-print-directory', '-s', '-C', ROOT + '/bench', 'table',
         'BUILD=' + BUILD], check=True, text=True,
        stdout=subprocess.PIPE).stdout
