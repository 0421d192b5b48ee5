"""A client of Redis that says when each reply was read."""

import socket
import time


class ReplyError(Exception):
    pass


def now():
    """Nanoseconds of the clock that all processes of a run share."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def encode(args):
    out = [b'*%d\r\n' % len(args)]

    for arg in args:
        data = arg if isinstance(arg, bytes) else str(arg).encode()
        out.append(b'$%d\r\n%s\r\n' % (len(data), data))

    return b''.join(out)


class Client:
    """Connects when it is needed, and again when it was lost."""

    def __init__(self, server):
        self.server = server
        self.sock = None
        self.path = None
        self.file = None

    def close(self):
        if self.sock:
            self.file.close()
            self.sock.close()
            self.sock = None

    def connect(self):
        path = self.server().socket

        if self.sock and self.path == path:
            return

        self.close()

        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(60)

        try:
            sock.connect(path)
        except OSError:
            sock.close()
            raise

        self.sock = sock
        self.path = path
        self.file = sock.makefile('rb')

    def read(self):
        line = self.file.readline()

        if not line.endswith(b'\r\n'):
            raise ConnectionError('closed')

        kind, rest = line[:1], line[1:-2]

        if kind == b'+':
            return rest.decode()

        if kind == b'-':
            return ReplyError(rest.decode())

        if kind == b':':
            return int(rest)

        if kind == b'$':
            n = int(rest)

            return None if n < 0 else self.file.read(n + 2)[:-2].decode()

        n = int(rest)

        return None if n < 0 else [self.read() for _ in range(n)]

    def pipeline(self, commands):
        """Yields (reply, when it was read); anything may be raised between,
        and then it is not known what has been done."""

        try:
            self.connect()
            self.sock.sendall(b''.join(map(encode, commands)))

            for _ in commands:
                reply = self.read()
                yield reply, now()

        except OSError:
            self.close()
            raise

    def __call__(self, *args):
        (reply, _), = list(self.pipeline([args]))

        if isinstance(reply, ReplyError):
            raise reply

        return reply
