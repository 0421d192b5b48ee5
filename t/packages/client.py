#!/usr/bin/env python3
"""Asks nginx without a pause until a file is there:

    client.py PORT TOKEN STOP OUT

One thread sends short requests, another such as take a second to arrive, so
that there is always one that has begun.  OUT has, all the time, how many were
asked and how many had no answer 200, and what the first of these got.
"""

import os
import socket
import sys
import threading
import time

PORT, TOKEN, STOP, OUT = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
LOCK = threading.Lock()
COUNT = {'short': 0, 'slow': 0, 'lost': 0}
FIRST = []


def ask(pause):
    """One request, on a connection of its own; the first line of the answer."""
    with socket.create_connection(('127.0.0.1', PORT), timeout=30) as wire:
        wire.sendall(b'GET /pkg HTTP/1.1\r\nHost: localhost\r\n')
        time.sleep(pause)
        wire.sendall(b'Authorization: Bearer %s\r\nConnection: close\r\n\r\n'
                     % TOKEN.encode())
        answer = b''

        while True:
            part = wire.recv(65536)

            if not part:
                return answer.split(b'\r\n')[0].decode()

            answer += part


def write():
    """What there is so far."""
    with open(OUT + '.new', 'w', encoding='ascii') as out:
        out.write('%d %d %d %s\n' % (COUNT['short'], COUNT['slow'],
                                     COUNT['lost'], ''.join(FIRST)))

    os.rename(OUT + '.new', OUT)


def go_on(name, pause):
    """One request after the other."""
    while not os.path.exists(STOP):
        try:
            got = ask(pause)
        except OSError as error:
            got = repr(error)

        with LOCK:
            COUNT[name] += 1

            if ' 200 ' not in got:
                COUNT['lost'] += 1

                if not FIRST:
                    FIRST.append(got or 'nothing')

            write()

        time.sleep(0.005)


threads = [threading.Thread(target=go_on, args=('short', 0)),
           threading.Thread(target=go_on, args=('slow', 1))]

for thread in threads:
    thread.start()

for thread in threads:
    thread.join()
