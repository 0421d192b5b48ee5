/*
 * What the demo prints with.
 */

const WIDTH = 78;

const colours = process.stdout.isTTY && !process.env.NO_COLOR;

const paint = code => text => colours ? `\x1b[${code}m${text}\x1b[0m` : text;

export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const cyan = paint(36);

export const say = (text = '') => console.log(text);

export function title(text, below) {
    say();
    say(bold(text));
    say(dim('─'.repeat(text.length)));
    below.forEach(line => say(line));
}

let scenes = 0;

export function scene(text) {
    say();
    say();
    say(bold(`${++scenes}. ${text}`));
}

export function wrap(text, indent) {
    const lines = [''];

    for (const word of text.split(' ')) {
        const line = `${lines.at(-1)} ${word}`.trim();

        if (line.length + indent.length <= WIDTH) {
            lines[lines.length - 1] = line;
        } else {
            lines.push(word);
        }
    }

    return lines.map(line => indent + line).join('\n');
}

export const paragraph = text => say(`\n${wrap(text, '   ')}`);

/* "more": lines that a shell would join to the first */
export function command(who, line, ...more) {
    const lines = [line, ...more.map(text => `       ${text}`)];

    say();
    say(`   ${cyan(`${who}$`)} ${bold(lines.join(' \\\n'))}`);
}

/* long lines are folded, and what was folded stands further in */
export function output(lines) {
    for (const line of lines) {
        const folded = line.length <= WIDTH - 5 ? line
            : wrap(line, '      ').trimStart();

        folded.split('\n').forEach(text => say(`   ${dim('│')} ${text}`));
    }
}

/* "right": it gave what it should; "ended": e.g. "exit 0" */
export function outcome(right, ended, why) {
    const mark = right ? green('✓') : red('✗');
    const text = wrap(why, '     ').trimStart();

    say(`   ${mark} ${ended}${dim(' · ')}${text}`);
}

/* rows of texts, the first one the head; "tint" colours a padded cell */
export function table(rows, tint = text => text) {
    const widths = rows[0].map((_, i) =>
        Math.max(...rows.map(row => row[i].length)));
    const rule = widths.map(width => '─'.repeat(width)).join('──');

    rows.forEach((row, y) => {
        const cells = row.map((cell, x) => {
            const text = cell.padEnd(widths[x]);

            return y === 0 ? bold(text) : tint(text, x);
        });

        say(`   ${cells.join('  ').trimEnd()}`);

        if (y === 0) {
            say(`   ${dim(rule)}`);
        }
    });
}
