/*
 * A person at a terminal: each question is waited for and answered, and one
 * that should not be asked, or was not, is told.
 */

import { spawn } from 'node:child_process';

/* a client whose question was not understood would wait for ever */
const DEADLINE_MS = 90000;

/* it may print its question first and then listen */
const TYPING_MS = 150;

/* wide: a token or an id is not folded */
const COLUMNS = 160;

const ANSI = /\x1b(\[[0-9;?]*[A-Za-z]|[78])/g;

/* what npm turns beside a question, too */
const SPINNER = /[\u2800-\u28ff]+/g;

const quoted = text => `'${text.replaceAll("'", "'\\''")}'`;

/* what is left on the screen of what was written over and over */
export const plain = text => text.replaceAll('\r\n', '\n')
    .replace(ANSI, '').replace(SPINNER, '').replace(/^.*\r(?!$)/gm, '');


/*
 * "line" is the command and its arguments.  "asks" are pairs: a question, and
 * what is typed, or a function that makes it of what is on the screen.
 * "onText" is told what is there, whenever there is more.
 */
export function atTerminal(servers, line, { cwd, env, onText = () => {} },
                           asks = [])
{
    const command = `stty cols ${COLUMNS}; exec ${line.map(quoted).join(' ')}`;

    servers.inUse();

    return new Promise((resolve, reject) => {
        const child = spawn('script', ['-q', '-f', '-e', '-c', command,
                                       '/dev/null'],
                            { cwd, env: { ...env, SHELL: '/bin/sh' },
                              stdio: 'pipe', detached: true });
        const left = [...asks];
        let all = '';
        let asked = 0;

        child.kill = (signal = 'SIGTERM') => {
            try {
                process.kill(-child.pid, signal);
            } catch {
                /* gone meanwhile */
            }
        };

        const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);

        const answer = () => {
            const fresh = plain(all.slice(asked)).trimEnd();

            if (left.length === 0 || !left[0][0].test(fresh)) {
                return;
            }

            const [, text] = left.shift();
            const typed = typeof text === 'function' ? text(plain(all)) : text;

            asked = all.length;
            setTimeout(() => child.stdin.writable
                             && child.stdin.write(`${typed}\r`), TYPING_MS);
        };

        servers.clients.add(child);

        for (const stream of ['stdout', 'stderr']) {
            child[stream].setEncoding('utf8');
            child[stream].on('data', text => {
                all += text;
                onText(plain(all));
                answer();
            });
        }

        child.stdin.on('error', () => {});
        child.on('error', reject);
        child.on('close', (code, signal) => {
            clearTimeout(timer);
            servers.clients.delete(child);

            if (servers.stopping) {
                reject(new Error('interrupted'));
                return;
            }

            resolve({ code: signal ? `signal ${signal}` : code,
                      all: plain(all),
                      unasked: left.map(([question]) => question) });
        });
    });
}
