'use strict';
// Mocha's spec output, and a last line a machine can read: "N passed, N failed, N skipped".
// With TEST_TALLY=<file> the numbers are appended to that file too, one JSON object a line, so that several runs can be added up;
// with TEST_FAILURES=<file> a line for each test that failed, as soon as it did.
const { appendFileSync } = require('node:fs');
const { reporters, Runner } = require('mocha');

class Tally extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.on(Runner.constants.EVENT_TEST_FAIL, (test, error) => {
      const [reason] = String(error.message).split('\n');
      if (process.env.TEST_FAILURES) appendFileSync(process.env.TEST_FAILURES, `${process.version}: ${test.fullTitle()}: ${reason}\n`);
    });
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes: passed, failures: failed, pending: skipped } = this.stats;
      if (process.env.TEST_TALLY) appendFileSync(process.env.TEST_TALLY, `${JSON.stringify({ passed, failed, skipped })}\n`);
      // The spec reporter prints its own closing lines on the same event: ours come after them.
      setImmediate(() => console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`));
    });
  }
}

module.exports = Tally;
