import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SeenMessages } from '../../../lib/coap/seen';

describe('messages seen', () => {
  it('[COAP-028] keeps every byte of an answer', () => {
    const seen = new SeenMessages();
    const answer = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    seen.add(7, 1, 1000, 64);
    assert.equal(seen.reply(seen.find(7, 1, 0)), null);
    seen.keepReply(seen.find(7, 1, 0), answer);
    assert.deepEqual(seen.reply(seen.find(7, 1, 0)), answer);
    assert.equal(seen.bytes, 100 + 256);
    seen.dropOldest();
    assert.equal(seen.find(7, 1, 0), -1);
    assert.equal(seen.bytes, 0);
    seen.dropOldest();
    assert.equal(seen.size, 0);
  });

  it('[COAP-028] is a queue with a limit, whatever goes in and out', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ mid: fc.nat(9), mark: fc.nat(2), reply: fc.option(fc.nat(20)) }) },
      { weight: 1, arbitrary: fc.constant('drop' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 12 }), fc.nat(20), (steps, limit, lifetime) => {
        const seen = new SeenMessages();
        let model: { mid: number; mark: number; at: number; reply: Buffer | null }[] = [];
        steps.forEach((each, now) => {
          if (each === 'drop') {
            seen.dropOldest();
            model.shift();
          } else {
            const { mid, mark, reply } = each;
            const bytes = reply === null ? null : Buffer.alloc(reply, now);
            seen.add(mid, mark, now, limit);
            if (bytes) seen.keepReply(seen.find(mid, mark, -Infinity), bytes);
            model = [...model, { mid, mark, at: now, reply: bytes }].slice(-limit);
          }
          assert.equal(seen.size, model.length);
          assert.equal(
            seen.bytes,
            model.reduce((sum, entry) => sum + 100 + (entry.reply?.length ?? 0), 0),
          );
          for (let mid = 0; mid < 10; mid++) {
            for (let mark = 0; mark < 3; mark++) {
              const expected = model.findLast((entry) => entry.mid === mid && entry.mark === mark && entry.at > now - lifetime);
              const at = seen.find(mid, mark, now - lifetime);
              assert.equal(at >= 0, expected !== undefined);
              if (expected) assert.deepEqual(seen.reply(at), expected.reply);
            }
          }
        });
      }),
    );
  });
});
