import assert from 'node:assert/strict';
import { Registration, type OutgoingRequest, type Outcome } from '../../../lib/device/registration';
import type { Lwm2mVersion } from '../../../lib/lwm2m/types';

/** A registration whose port only notes what is asked. Times in ms. */
function scripted(options: { version?: Lwm2mVersion; binding?: 'U' | 'UQ' } = {}) {
  const log: string[] = [];
  const sent: OutgoingRequest[] = [];
  const facts = { lifetime: 100, links: '</>;rt="oma.lwm2m",</3/0>' };
  const registration = new Registration(
    { endpoint: 'dev & more', version: options.version ?? '1.1', binding: options.binding ?? 'U' },
    {
      open: () => log.push('open'),
      send: (request) => {
        sent.push(request);
        log.push(`${request.method} /${request.path.join('/')}`);
      },
      abort: () => undefined,
      state: (state, detail) => log.push(detail === undefined ? state : `${state}: ${detail}`),
      forget: () => log.push('forget'),
      lifetime: () => facts.lifetime,
      links: () => facts.links,
    },
  );
  const take = (): string[] => log.splice(0);
  const registered = (now = 0): void => {
    registration.start();
    registration.opened(now);
    registration.outcome(now, answer('2.01', ['rd', 'x']));
    take();
  };
  return { registration, sent, facts, take, registered };
}

function answer(code: string, location: string[] = [], diagnostic = ''): Outcome {
  return { kind: 'response', code, location, diagnostic };
}

describe('registration', () => {
  it('[DEV-005] opens, registers, and keeps the location', () => {
    const { registration, sent, take } = scripted();
    registration.start();
    assert.deepEqual(take(), ['resolving', 'open']);
    registration.opened(0);
    assert.deepEqual(take(), ['forget', 'registering', 'POST /rd']);
    const query = ['ep=dev & more', 'lt=100', 'lwm2m=1.1', 'b=U'];
    assert.deepEqual(sent, [{ method: 'POST', path: ['rd'], query, payload: '</>;rt="oma.lwm2m",</3/0>' }]);
    registration.outcome(500, answer('2.01', ['rd', 'x']));
    assert.deepEqual(take(), ['registered']);
  });

  it('[DEV-005] announces queue mode as each version does', () => {
    for (const [version, expected] of [
      ['1.0', ['b=UQ']],
      ['1.1', ['b=U', 'Q']],
    ] as const) {
      // prettier-ignore
      const { registration, sent } = scripted({ version, binding: 'UQ' });
      registration.start();
      registration.opened(0);
      assert.deepEqual(sent[0]?.query.slice(3), expected);
    }
  });

  it('[DEV-006] updates after 80 % of the lifetime, with nothing when nothing has changed', () => {
    const { registration, sent, take, registered } = scripted();
    registered();
    assert.equal(registration.deadline(), 80_000);
    registration.advance(79_999);
    assert.deepEqual(take(), []);
    registration.advance(80_000);
    assert.deepEqual(take(), ['updating', 'POST /rd/x']);
    assert.deepEqual(sent.at(-1), { method: 'POST', path: ['rd', 'x'], query: [] });
    registration.outcome(81_000, answer('2.04'));
    assert.deepEqual(take(), ['registered']);
    assert.equal(registration.deadline(), 161_000);
  });

  it('[DEV-006] tells a new lifetime and new objects at once, and only what is new', () => {
    const { registration, sent, facts, registered } = scripted();
    registered();
    facts.lifetime = 50;
    registration.update(1000);
    assert.deepEqual(sent.at(-1), { method: 'POST', path: ['rd', 'x'], query: ['lt=50'] });
    facts.links = '</3/0>';
    registration.update(1001);
    registration.outcome(1500, answer('2.04'));
    assert.deepEqual(sent.at(-1), { method: 'POST', path: ['rd', 'x'], query: [], payload: '</3/0>' });
    registration.outcome(2000, answer('2.04'));
    assert.equal(registration.deadline(), 42_000);
  });

  it('[DEV-007] registers anew at once when the server does not know it any more', () => {
    for (const outcome of [answer('4.04'), { kind: 'reset' } as const]) {
      const { registration, take, registered } = scripted();
      registered();
      registration.advance(80_000);
      take();
      registration.outcome(81_000, outcome);
      assert.deepEqual(take(), ['forget', 'registering', 'POST /rd']);
    }
  });

  it('[DEV-008] a refusal is tried again after 5 s, 10 s, 20 s, 40 s and then every 60 s', () => {
    const { registration, take } = scripted();
    registration.start();
    registration.opened(0);
    let now = 0;
    const waits: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      take();
      registration.outcome(now, answer('4.03', [], 'who are you?'));
      assert.deepEqual(take(), ['refused: 4.03 who are you?']);
      waits.push(registration.deadline() - now);
      now = registration.deadline();
      registration.advance(now);
      assert.deepEqual(take(), ['forget', 'registering', 'POST /rd']);
    }
    assert.deepEqual(waits, [5000, 10_000, 20_000, 40_000, 60_000, 60_000]);
    registration.outcome(now, answer('2.01', ['rd', 'x']));
    registration.advance(registration.deadline());
    registration.outcome(now, answer('5.03'));
    assert.equal(registration.deadline() - now, 5000, 'begins with 5 s again after a success');
  });

  it('[DEV-008] no answer for 45 s is unreachable; then the address is looked up anew', () => {
    const { registration, take } = scripted();
    registration.start();
    registration.opened(0);
    take();
    registration.advance(45_000);
    assert.deepEqual(take(), ['unreachable: no answer']);
    registration.advance(50_000);
    assert.deepEqual(take(), ['resolving', 'open']);
    registration.failed(51_000, new Error('ENOTFOUND'));
    assert.deepEqual(take(), ['unreachable: ENOTFOUND']);
    registration.advance(61_000);
    assert.deepEqual(take(), ['resolving', 'open']);
    registration.opened(61_000);
    registration.outcome(61_000, answer('2.01', ['rd', 'y']));
    assert.deepEqual(take().at(-1), 'registered');
  });

  it('[DEV-008] a server that vanished is found again', () => {
    const { registration, take, registered } = scripted();
    registered();
    registration.advance(80_000);
    registration.advance(125_000);
    registration.advance(130_000);
    registration.opened(130_000);
    assert.deepEqual(take(), [
      'updating',
      'POST /rd/x',
      'unreachable: no answer',
      'resolving',
      'open',
      'forget',
      'registering',
      'POST /rd',
    ]);
  });

  it('[DEV-008] 2.01 without a location, and other codes, are refusals', () => {
    for (const code of ['2.01', '2.04', '4.12', '5.00']) {
      const { registration, take } = scripted();
      registration.start();
      registration.opened(0);
      registration.outcome(0, answer(code));
      assert.equal(take().at(-1), `refused: ${code}`);
    }
  });

  it('[DEV-009] de-registers, and is done with the answer', () => {
    const { registration, take, registered } = scripted();
    registered();
    let done = 0;
    registration.stop(1000, () => (done += 1));
    assert.deepEqual(take(), ['DELETE /rd/x']);
    assert.equal(done, 0);
    registration.outcome(1100, answer('2.02'));
    assert.deepEqual(take(), ['stopped']);
    assert.equal(done, 1);
    assert.equal(registration.deadline(), Infinity);
  });

  it('[DEV-009] does not wait longer than 2 s for the answer', () => {
    const { registration, take, registered } = scripted();
    registered();
    let done = false;
    registration.stop(1000, () => (done = true));
    registration.advance(2999);
    assert.equal(done, false);
    registration.advance(3000);
    assert.equal(done, true);
    assert.equal(take().at(-1), 'stopped');
  });

  it('[DEV-009] has nothing to de-register before it is registered', () => {
    const { registration, take } = scripted();
    registration.start();
    let done = false;
    registration.stop(0, () => (done = true));
    assert.equal(done, true);
    assert.deepEqual(take(), ['resolving', 'open', 'stopped']);
    registration.opened(1);
    assert.deepEqual(take(), []);
  });

  it('[DEV-035] a restart forgets everything, is silent for 2 s and registers anew', () => {
    const { registration, take, registered } = scripted();
    registered();
    registration.reboot(1000);
    assert.deepEqual(take(), ['forget', 'registering: restarting']);
    registration.advance(2999);
    assert.deepEqual(take(), []);
    registration.advance(3000);
    assert.deepEqual(take(), ['forget', 'registering', 'POST /rd']);
  });

  it('late answers and repeated starts change nothing', () => {
    const { registration, take, registered } = scripted();
    registered();
    registration.start();
    registration.opened(1);
    registration.failed(1, new Error('late'));
    registration.outcome(1, answer('4.04'));
    assert.deepEqual(take(), []);
    assert.equal(registration.deadline(), 80_000);
  });
});
