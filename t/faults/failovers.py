"""What goes wrong with replicas, sentinels and clusters.  As in faults.py,
tokens are revoked right before, within and behind it."""

import contextlib
import signal
import time

from ha import SILENCE
from parts import wait_for


FAILOVERS = {}
ONLY = {}


def failover(only=None):
    def add(f):
        kind = f.__name__.replace('_', ' ')
        FAILOVERS[kind] = f
        ONLY[kind] = only

        return f

    return add


def kinds(name):
    return {k: f for k, f in FAILOVERS.items() if ONLY[k] in (None, name)}


def succeeded(run, old):
    """waits until another one is the master, for long"""

    def other():
        address = run.set.address_or_none()
        return address and address[1] != old.port

    wait_for('a successor', other, 30)


def master(run):
    return wait_for('a master', run.set.master_server, 30)


def heal(run, step):
    run.set.heal()
    step('all is well')
    run.burst_while(run.span(1))


@failover()
def kill_master(run):
    old = master(run)

    with run.fault('the master is killed, and comes back') as step:
        before = run.rng.random() < 0.5

        if before:
            run.burst()

        old.stop()
        step('killed')

        # it comes back before it is succeeded, or as a master that was

        if run.rng.random() < 0.8:
            succeeded(run, old)
            step('succeeded')
            run.burst()

        old.start()
        step('back')
        run.burst_while(run.span(1.5, 3))
        heal(run, step)


@failover()
def stop_master(run):
    """stopped until it is succeeded; thawed it goes on as a master"""

    old = master(run)

    with run.fault('the master is stopped, and thawed') as step:
        if run.rng.random() < 0.5:
            run.burst()

        old.signal(signal.SIGSTOP)
        step('stopped')

        try:
            if run.rng.random() < 0.8:
                succeeded(run, old)
                step('succeeded')

            run.burst()
            step('revoked')
            time.sleep(run.span(0.1, 1.5))

        finally:
            old.signal(signal.SIGCONT)
            step('thawed')

        run.burst_while(run.span(1.5, 3), 0.1)
        heal(run, step)


@failover()
def stop_short(run):
    """not long enough to be succeeded"""

    old = master(run)

    with run.fault('the master is stopped, not for long') as step:
        run.burst()
        old.signal(signal.SIGSTOP)
        step('stopped')

        try:
            time.sleep(min(run.span(0.5, 1.5), SILENCE / 2500))

        finally:
            old.signal(signal.SIGCONT)
            step('thawed')

        run.burst()
        heal(run, step)


@failover()
def stop_with_replica(run):
    """the master keeps a replica that confirms what it proves"""

    old = master(run)
    replicas = run.set.replicas_of(old)

    with run.fault('the master and a replica are stopped') as step:
        stopped = [old] + replicas[:max(0, len(replicas) - 1)]

        for server in stopped:
            server.signal(signal.SIGSTOP)

        step('stopped %d' % len(stopped))

        try:
            with contextlib.suppress(TimeoutError):
                succeeded(run, old)
                step('succeeded')

            run.burst()

        finally:
            for server in stopped:
                server.signal(signal.SIGCONT)

            step('thawed')

        run.burst_while(run.span(1.5, 3), 0.1)
        heal(run, step)


@failover()
def stop_replica(run):
    old = master(run)
    replica = run.rng.choice(run.set.replicas_of(old))

    with run.fault('a replica is stopped') as step:
        replica.signal(signal.SIGSTOP)

        try:
            run.burst_while(run.span(1.5, 3), 0.2)

        finally:
            replica.signal(signal.SIGCONT)

        heal(run, step)


@failover()
def cut_links(run):
    """replicas fall behind; then the master goes"""

    old = master(run)
    count = run.rng.choice([1, run.set.replicas])

    with run.fault('links of %d replicas are cut, then the master is killed'
                   % count) as step:
        run.set.cut(old, count)
        step('cut')
        run.burst_while(run.span(0.5, 1.5), 0.1)
        old.stop()
        step('killed')

        with contextlib.suppress(TimeoutError):
            succeeded(run, old)
            step('succeeded')

        run.burst()
        old.start()
        step('back')
        heal(run, step)


@failover()
def planned(run):
    with run.fault('a planned failover') as step:
        run.burst()
        old = run.set.planned()
        run.burst_while(run.span(2))

        wait_for('a successor', lambda: run.set.address_or_none()
                 not in (None, old), 30)
        step('succeeded')
        heal(run, step)


@failover(only='sentinel')
def split(run):
    """The master and the nodes, with or without a replica, on one side; the
    sentinels and a replica at least on the other, where it is succeeded.
    Nobody tells the nodes, and their master is well."""

    old = master(run)
    replicas = run.set.replicas_of(old)
    kept = replicas[:1] if run.rng.random() < 0.4 else []

    with run.fault('the network is split, the master keeps %d replicas'
                   % len(kept)) as step:
        run.set.shut_out(run.set.sentinels, 'node')
        run.set.shut_out([old] + kept, 'sentinel')
        step('split')
        succeeded(run, old)
        step('succeeded')
        run.burst_while(run.span(3, 5), 0.2)
        heal(run, step)


@failover(only='cluster')
def move_slot(run):
    """to another shard and back; tokens that were unknown are made where the
    slot goes to, of which the one that has it hears nothing"""

    with run.fault('the slot is moved, and back') as step:
        home = master(run)
        slowly = run.rng.choice([0, 0.05, 0.5])
        tokens = run.world.expect(10)
        time.sleep(run.span(0.5))

        def pause():
            if tokens:
                run.do(run.world.make, list(tokens))
                step('made %d' % len(tokens))
                tokens.clear()
                time.sleep(run.span(1.5, 3))

            if run.rng.random() < 0.3:
                run.burst(2)

            time.sleep(run.rng.random() * slowly)

        away = run.set.other_master(run.rng)

        for source, target in (home, away), (away, home):
            run.set.move(source, target, pause)
            step('moved to %s' % target.name)
            run.burst_while(run.span(0.2, 1, 2))

        heal(run, step)


@failover(only='cluster')
def move_quickly(run):
    """so quickly that no proof falls between"""

    with run.fault('the slot is moved to and fro') as step:
        home = master(run)
        away = run.set.other_master(run.rng)

        for _ in range(run.rng.choice([1, 2, 3])):
            for source, target in (home, away), (away, home):
                run.set.move(source, target, lambda: None)
                run.burst(2)

        step('back')
        heal(run, step)
