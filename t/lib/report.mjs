/*
 * Tests by name, one line each; what failed is shown under it.
 */

export class Report {

    constructor() {
        this.passed = 0;
        this.failed = 0;
    }

    async test(name, body) {
        const number = this.passed + this.failed + 1;

        try {
            await body();
            this.passed++;
            console.log(`ok ${number} - ${name}`);

        } catch (e) {
            this.failed++;
            console.log(`not ok ${number} - ${name}`);

            const text = e.code === 'ERR_ASSERTION' ? e.message : e.stack;

            text.trimEnd().split('\n').slice(0, 40)
                .forEach(line => console.log(`#   ${line}`));
        }
    }

    /* the line that is counted, and the exit status */
    end(part) {
        if (this.passed + this.failed === 0) {
            this.failed++;
        }

        console.log(`\n${part}: ${this.passed} passed, ${this.failed} failed`);

        return this.failed ? 1 : 0;
    }
}
