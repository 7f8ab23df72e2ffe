'use strict';
// The far end of a Node.js server under load: says which port to load and which limits are in force, and on every message what the
// work has cost so far. Run with --expose-gc.

/** `limits`: plain data to print beside the figures; `counters`: what the server counted so far. */
exports.report = function report(port, limits, counters = () => ({})) {
  process.on('message', () => {
    // Twice: the first collection may leave what finalizers hold.
    globalThis.gc();
    globalThis.gc();
    const { user, system } = process.cpuUsage();
    // Bytes of Buffers lie outside the heap and count as well.
    const { heapUsed, external } = process.memoryUsage();
    process.send({ cpuMicros: user + system, heldBytes: heapUsed + external, counters: counters() });
  });
  process.on('disconnect', () => process.exit());
  process.send({ port, limits });
};

/** What a GET is answered with everywhere. */
exports.TIME = Buffer.from('Nov 22 12:00:00');
