"""Goes through what the clients wrote down, and judges each request."""

import os
import struct

from tokens import OUTCOMES


RECORD = struct.Struct('=QQIHHBBB13s')        # as load.c has it

PROMISES = {
    'revoked': 'no request was allowed past the bound by a token that was '
               'revoked, expired or shut',
    'readonly': 'no write was allowed past the bound by a token that was '
                'made read-only or limited to other packages',
    'good': 'no token that was good was refused with anything but 503',
    'reason': 'no other answer than what the record said',
    'lost': 'no connection was lost but where a process was ended',
}


class Request:
    def __init__(self, fields):
        (self.begin, self.end, self.serial, self.client, self.status,
         self.node, self.write, self.first, reason) = fields
        self.reason = reason.rstrip(b'\0').decode('ascii')

    @property
    def outcome(self):
        if self.status in (200, 405):
            return 'allowed'

        if self.status == 503:
            return 'unavailable'

        return self.reason or str(self.status)


class Violation:
    def __init__(self, promise, request, token, late):
        self.promise = promise
        self.request = request
        self.token = token
        self.late = late


def permitted(token, request):
    """the outcomes that the states allow which may have been seen"""

    changes = token.changes
    until = float('inf')
    outcomes = set()

    for change in reversed(changes):
        if change.earliest <= request.end and request.begin <= until:
            outcomes.add(OUTCOMES[change.state][request.write])

        until = min(until, change.enforced)

    return outcomes


def promise_of(token, request, outcomes):
    if request.outcome == 'allowed':
        return ('readonly' if outcomes <= {'readonly', 'package'}
                else 'revoked')

    return 'good' if outcomes == {'allowed'} else 'reason'


def lateness(token, begin, write):
    """(nanoseconds since the acknowledgement of what forbids this, when that
    was), if anything does"""

    change = None

    for c in reversed(token.changes):
        if OUTCOMES[c.state][write] == 'allowed':
            break

        change = c

    if change is None or begin <= change.acked:
        return None

    return begin - change.acked, change.acked


class Report:
    def __init__(self):
        self.requests = 0
        self.outcomes = {}
        self.violations = []
        self.late = []
        self.lost = 0
        self.excused = 0             # Redis itself had lost the write

    def violated(self, promise):
        return [v for v in self.violations if v.promise == promise]


def in_fault(faults, when, before=0, after=0, ends=None):
    return any(f.begin - before <= when <= (f.end or when) + after
               for f in faults if ends is None or f.ends == ends)


def judge(world, log_path, faults, bound):
    report = Report()

    with open(log_path, 'rb') as f:
        while True:
            data = f.read(RECORD.size * 4096)

            # the clients may be writing still
            whole = len(data) // RECORD.size * RECORD.size

            if not whole:
                return report

            f.seek(whole - len(data), os.SEEK_CUR)
            data = data[:whole]

            for fields in RECORD.iter_unpack(data):
                judge_request(world, report, Request(fields), faults, bound)


def judge_request(world, report, request, faults, bound):
    token = world.tokens[request.serial]
    outcome = request.outcome

    if token.lost and request.end >= token.lost:
        report.excused += 1
        return

    report.requests += 1
    report.outcomes[outcome] = report.outcomes.get(outcome, 0) + 1

    if outcome == 'unavailable':
        return

    if outcome == '0':
        if not in_fault(faults, request.end, 0, 5e9, True) and not in_fault(
                faults, request.begin, 0, 5e9, True):
            report.lost += 1
            report.violations.append(Violation('lost', request, token, 0))

        return

    outcomes = permitted(token, request)

    if outcome == 'allowed':
        late = lateness(token, request.begin, request.write)

        if late:
            report.late.append(late)

    if outcome not in outcomes:
        late = lateness(token, request.begin, request.write)

        report.violations.append(
            Violation(promise_of(token, request, outcomes), request, token,
                      late[0] if late and outcome == 'allowed' else 0))


def timeline(violation, faults, start):
    request = violation.request
    token = violation.token
    base = request.begin
    ms = lambda t: '%+10.1f ms' % ((t - base) / 1e6)

    method = 'PUT' if request.write else 'GET'
    rows = [
        (request.begin, '%s at node %d by client %d begins%s'
         % (method, request.node + 1, request.client,
            ', on a new connection' if request.first else '')),
        (request.end, '... is answered: %s' % request.outcome),
    ]

    for change in token.changes[1:]:
        rows.append((change.earliest, '%s may be seen' % change.how))
        rows.append((change.acked, '%s is acknowledged' % change.how))
        rows.append((change.enforced, '%s is to be enforced' % change.how))

    for f in faults:
        if f.begin < request.end + 1e9 and (f.end or base) > base - 4e9:
            rows.append((f.begin, 'fault: %s begins' % f.text))

            for when, what in f.steps:
                rows.append((when, 'fault: ... %s' % what))

            rows.append((f.end or base, 'fault: %s ends' % f.text))

    rows = [r for r in rows if abs(r[0] - base) < 20e9]
    rows.sort(key=lambda r: r[0])

    out = ['  violation (%s): token %d, %.1f s after the start%s'
           % (violation.promise, token.serial, (base - start) / 1e9,
              ', allowed %.1f ms after the acknowledgement'
              % (violation.late / 1e6) if violation.late else '')]

    return out + ['    %s  %s' % (ms(when), text) for when, text in rows]
