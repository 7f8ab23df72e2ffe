import assert from 'node:assert/strict';
import fc from 'fast-check';
import { registrationLinks } from '../../../lib/device/operations/discover';
import type { DeviceRequest } from '../../../lib/device/types';
import { putResource, resourceAt } from '../../../lib/device/world';
import { ask, fromHex, ground, hex, text, type More } from './ground';

const JSON_SENML = 110;
const CBOR_SENML = 112;
const TLV = 11542;

describe('Read', () => {
  const formats: [string, string, number | undefined, number, string][] = [
    ['a resource is text', '/3/0/3', undefined, 0, Buffer.from('1.0.0').toString('hex')],
    ['text asked for', '/3303/0/5701', 0, 0, '43656c'],
    ['a resource as TLV', '/3303/0/5701', TLV, TLV, 'e8164503 43656c'],
    ['a resource as CBOR', '/3303/0/5701', 60, 60, '63 43656c'],
    ['a resource as SenML JSON', '/3303/0/5701', JSON_SENML, JSON_SENML, ''],
    ['a resource as SenML CBOR', '/3303/0/5701', CBOR_SENML, CBOR_SENML, ''],
    ['an instance is TLV', '/19/1', undefined, TLV, ''],
    ['an object is TLV', '/19', undefined, TLV, ''],
    ['a multiple resource is TLV', '/3/0/6', undefined, TLV, '8606 410001 410105'],
    ['a resource instance is text', '/3/0/6/1', undefined, 0, '35'],
    ['an opaque resource instance is its bytes', '/19/0/0/0', undefined, 42, '01020304'],
    ['an opaque resource instance asked for as text', '/19/0/0/0', 0, 0, Buffer.from('AQIDBA==').toString('hex')],
  ];
  for (const [name, path, accept, format, digits] of formats) {
    it(`[DEV-011] [DEV-012] ${name}`, () => {
      const response = ask(ground().world, 'GET', path, accept === undefined ? {} : { accept });
      assert.equal(response.code, '2.05');
      assert.equal(response.contentFormat, format);
      assert.ok((response.payload?.length ?? 0) > 0);
      if (digits !== '' && format !== TLV) assert.equal(hex(response), digits.replaceAll(' ', ''));
      if (path === '/3/0/6') assert.equal(hex(response), digits.replaceAll(' ', ''));
    });
  }

  it('[DEV-011] reads all of an instance but what cannot be read', () => {
    const records = JSON.parse(text(ask(ground().world, 'GET', '/5/0', { accept: JSON_SENML }))) as { bn?: string; n?: string }[];
    const names = records.map((record) => record.n);
    for (const id of ['3', '5', '9'])
      assert.ok(
        names.some((name) => name === id || name?.endsWith(`/${id}`)),
        `/5/0/${id} is there`,
      );
    for (const id of ['0', '2']) assert.ok(!names.some((name) => name === id || name === `/5/0/${id}`), `/5/0/${id} is not`);
  });

  const refusals: [string, string, Partial<DeviceRequest>, string][] = [
    ['an object it has not', '/9', {}, '4.04'],
    ['an instance it has not', '/3/1', {}, '4.04'],
    ['a resource it has not', '/3/0/22', {}, '4.04'],
    ['a resource instance it has not', '/3/0/6/9', {}, '4.04'],
    ['an instance of a single resource', '/3/0/9/0', {}, '4.04'],
    ['a path that is none', '/3/x', {}, '4.04'],
    ['an id with a leading zero', '/03', {}, '4.04'],
    ['an id beyond 65534', '/65535', {}, '4.04'],
    ['five ids', '/3/0/6/0/0', {}, '4.04'],
    ['an empty segment', '/3/', {}, '4.04'],
    ['an executable resource', '/3/0/4', {}, '4.05'],
    ['a resource that can only be written', '/5/0/0', {}, '4.05'],
    ['the root', '/', {}, '4.05'],
    ['the Security object', '/0/0/0', {}, '4.01'],
    ['the Security object as a whole', '/0', {}, '4.01'],
    ['the OSCORE object', '/21/0', {}, '4.01'],
    ['an unknown format', '/3/0/9', { accept: 50 }, '4.06'],
    ['text for several values', '/3/0', { accept: 0 }, '4.06'],
    ['text for a multiple resource', '/3/0/6', { accept: 0 }, '4.06'],
    ['bytes for a number', '/3/0/9', { accept: 42 }, '4.06'],
    ['CBOR for an instance', '/3/0', { accept: 60 }, '4.06'],
  ];
  for (const [name, path, more, code] of refusals) {
    it(`[DEV-013] refuses ${name} with ${code}`, () => assert.equal(ask(ground().world, 'GET', path, more).code, code));
  }

  it('[DEV-012] a 1.0 device knows no SenML', () => {
    const { world } = ground({ version: '1.0' });
    assert.equal(ask(world, 'GET', '/3/0', { accept: JSON_SENML }).code, '4.06');
    assert.equal(ask(world, 'GET', '/3/0', { accept: TLV }).code, '2.05');
  });
});

describe('Discover', () => {
  it('[DEV-014] of a resource tells what it inherits, and its instances', () => {
    const { world } = ground();
    ask(world, 'PUT', '/3', { query: ['pmin=5'] });
    ask(world, 'PUT', '/3/0/6', { query: ['pmax=60'] });
    assert.equal(text(ask(world, 'GET', '/3/0/6', { accept: 40 })), '</3/0/6>;dim=2;pmin=5;pmax=60,</3/0/6/0>,</3/0/6/1>');
  });

  it('[DEV-014] of an instance tells the attributes of each resource', () => {
    const { world } = ground();
    ask(world, 'PUT', '/3303/0/5700', { query: ['gt=30.5', 'lt=10', 'st=0.5'] });
    const links = text(ask(world, 'GET', '/3303/0', { accept: 40 })).split(',');
    assert.equal(links[0], '</3303/0>');
    assert.ok(links.includes('</3303/0/5700>;gt=30.5;lt=10;st=0.5'));
    assert.ok(links.includes('</3303/0/5605>'));
  });

  it('[DEV-014] of an object names instances and resources', () => {
    const links = text(ask(ground().world, 'GET', '/19', { accept: 40 }));
    assert.ok(links.startsWith('</19>,</19/0>,</19/0/0>,'));
    assert.ok(links.includes(',</19/1>,</19/1/0>'));
  });

  it('[DEV-014] has no answer for the root, a resource instance and what is not there', () => {
    const { world } = ground();
    assert.equal(ask(world, 'GET', '/', { accept: 40 }).code, '4.05');
    assert.equal(ask(world, 'GET', '/3/0/6/0', { accept: 40 }).code, '4.05');
    assert.equal(ask(world, 'GET', '/3/7', { accept: 40 }).code, '4.04');
    assert.equal(ask(world, 'GET', '/0', { accept: 40 }).code, '4.01');
  });
});

describe('the links of a Register', () => {
  const rest = ',</6/0>,</19/0>,</19/1>,</3303/0>';
  const links: ['1.0' | '1.1' | '1.2', string][] = [
    ['1.0', '</>;rt="oma.lwm2m";ct="0 42 11542",</1/0>,</3/0>,</4/0>,</5/0>'],
    ['1.1', '</>;rt="oma.lwm2m";ct="0 42 60 110 112 11542",</1/0>,</3/0>,</4/0>,</5/0>'],
  ];
  for (const [version, expected] of links) {
    it(`[DEV-005] of a ${version} device`, () => assert.equal(registrationLinks(ground({ version }).world), expected + rest));
  }

  it('[DEV-005] of a 1.2 device say which objects are older than 1.2 implies', () => {
    const all = registrationLinks(ground({ version: '1.2' }).world);
    assert.ok(all.endsWith(`,</1>;ver=1.1,</1/0>,</3>;ver=1.1,</3/0>,</4>;ver=1.2,</4/0>,</5>;ver=1.0,</5/0>${rest}`));
  });
});

describe('Write', () => {
  it('[DEV-015] replaces a resource with text', () => {
    const { world } = ground();
    assert.equal(ask(world, 'PUT', '/3/0/14', { payload: '+02:00', contentFormat: 0 }).code, '2.04');
    assert.equal(text(ask(world, 'GET', '/3/0/14')), '+02:00');
    assert.deepEqual(world.events, [{ kind: 'written', path: '/3/0/14', value: '+02:00' }]);
  });

  it('[DEV-015] replacing a multiple resource drops the instances it does not name, a partial write keeps them', () => {
    const { world } = ground();
    const payload = fromHex('8400 4201aabb'); // resource 0, instance 1 = aabb
    assert.equal(ask(world, 'POST', '/19/0/0', { payload, contentFormat: TLV }).code, '2.04');
    assert.deepEqual([...(resourceAt(world, [19, 0, 0]) as Map<number, unknown>).keys()], [0, 1]);
    assert.equal(ask(world, 'PUT', '/19/0/0', { payload, contentFormat: TLV }).code, '2.04');
    assert.deepEqual([...(resourceAt(world, [19, 0, 0]) as Map<number, unknown>).keys()], [1]);
  });

  it('[DEV-015] writes one resource instance', () => {
    const { world } = ground();
    assert.equal(ask(world, 'PUT', '/19/0/0/0', { payload: fromHex('beef'), contentFormat: 42 }).code, '2.04');
    assert.equal(hex(ask(world, 'GET', '/19/0/0/0')), 'beef');
    assert.equal(ask(world, 'PUT', '/19/0/0/7', { payload: fromHex('beef'), contentFormat: 42 }).code, '4.04');
  });

  it('[DEV-015] replacing an instance drops optional values it does not name, a partial write keeps them', () => {
    const { world } = ground();
    const payload = JSON.stringify([
      { bn: '/19/0/', n: '0/0', vd: 'AQ' },
      { n: '1', v: 7 },
    ]);
    assert.equal(ask(world, 'POST', '/19/0', { payload, contentFormat: JSON_SENML }).code, '2.04');
    assert.equal(resourceAt(world, [19, 0, 1]), 7);
    assert.equal(resourceAt(world, [19, 0, 5]), 1);
    assert.equal(ask(world, 'PUT', '/19/0', { payload, contentFormat: JSON_SENML }).code, '2.04');
    assert.equal(resourceAt(world, [19, 0, 1]), 7);
    assert.equal(resourceAt(world, [19, 0, 5]), undefined);
  });

  it('[DEV-016] is all or nothing', () => {
    const { world } = ground();
    const payload = JSON.stringify([
      { bn: '/3/0/', n: '15', vs: 'Europe/Berlin' },
      { n: '0', vs: 'forged' },
    ]);
    assert.equal(ask(world, 'POST', '/3/0', { payload, contentFormat: JSON_SENML }).code, '4.05');
    assert.equal(resourceAt(world, [3, 0, 15]), 'Etc/UTC');
    assert.deepEqual(world.events, []);
  });

  const refusals: [string, string, More, string][] = [
    ['to a read-only resource', '/3/0/0', { payload: 'x' }, '4.05'],
    ['to an executable resource', '/3/0/4', { payload: 'x' }, '4.05'],
    ['to an object', '/3', { payload: 'x' }, '4.05'],
    ['to what is not there', '/3/0/77', { payload: 'x' }, '4.04'],
    ['to the Security object', '/0/0/0', { payload: 'x' }, '4.01'],
    ['in an unknown format', '/3/0/15', { payload: 'x', contentFormat: 50 }, '4.15'],
    ['in link format', '/3/0/15', { payload: 'x', contentFormat: 40 }, '4.15'],
    ['of a word into a number', '/1/0/1', { payload: 'soon', contentFormat: 0 }, '4.00'],
    ['of a lifetime of 0', '/1/0/1', { payload: '0', contentFormat: 0 }, '4.00'],
    ['of another binding', '/1/0/7', { payload: 'S', contentFormat: 0 }, '4.00'],
    ['of an offset that is none', '/3/0/14', { payload: 'noon', contentFormat: 0 }, '4.00'],
    ['of broken TLV', '/3/0', { payload: fromHex('c8ff'), contentFormat: TLV }, '4.00'],
    ['of broken JSON', '/3/0', { payload: '[{', contentFormat: JSON_SENML }, '4.00'],
    ['of another path than it says', '/3/0/15', { payload: '[{"n":"/3/0/14","vs":"Z"}]', contentFormat: JSON_SENML }, '4.00'],
    ['with attributes at the same time', '/3/0/15', { payload: 'x', query: ['pmin=1'] }, '4.00'],
  ];
  for (const [name, path, more, code] of refusals) {
    it(`[DEV-016] refuses a write ${name} with ${code}`, () => {
      const { world } = ground();
      assert.equal(ask(world, 'PUT', path, more).code, code);
      assert.deepEqual(world.events, []);
    });
  }
});

describe('Write-Attributes', () => {
  it('[DEV-017] keeps, changes and removes attributes one by one', () => {
    const { world } = ground();
    assert.equal(ask(world, 'PUT', '/3/0/9', { query: ['pmin=10', 'pmax=60'] }).code, '2.04');
    assert.equal(ask(world, 'PUT', '/3/0/9', { query: ['pmax', 'lt=20'] }).code, '2.04');
    assert.equal(text(ask(world, 'GET', '/3/0/9', { accept: 40 })), '</3/0/9>;pmin=10;lt=20');
  });

  const refusals: [string, string, string[], string][] = [
    ['an unknown attribute', '/3/0/9', ['colour=red'], '4.00'],
    ['a number that is none', '/3/0/9', ['pmin=soon'], '4.00'],
    ['a negative period', '/3/0/9', ['pmin=-1'], '4.00'],
    ['an attribute twice', '/3/0/9', ['pmin=1', 'pmin=2'], '4.00'],
    ['a negative step', '/3/0/9', ['st=-1'], '4.00'],
    ['lt above gt', '/3/0/9', ['lt=50', 'gt=40'], '4.00'],
    ['no room for two steps between lt and gt', '/3/0/9', ['lt=40', 'gt=50', 'st=5'], '4.00'],
    ['a threshold on text', '/3/0/0', ['gt=1'], '4.00'],
    ['a threshold on an instance', '/3/0', ['gt=1'], '4.00'],
    ['what is not there', '/3/0/77', ['pmin=1'], '4.04'],
    ['the Security object', '/0/0', ['pmin=1'], '4.01'],
  ];
  for (const [name, path, query, code] of refusals) {
    it(`[DEV-017] refuses ${name} with ${code}`, () => {
      const { world } = ground();
      assert.equal(ask(world, 'PUT', path, { query }).code, code);
      assert.equal(world.attributes.size, 0);
    });
  }
});

describe('Execute', () => {
  it('[DEV-018] runs a resource and tells the arguments', () => {
    const { world } = ground();
    putResource(world, [3303, 0, 5602], 99);
    assert.equal(ask(world, 'POST', '/3303/0/5605', { payload: "0='now'" }).code, '2.04');
    assert.equal(resourceAt(world, [3303, 0, 5602]), resourceAt(world, [3303, 0, 5700]));
    assert.deepEqual(world.events, [{ kind: 'executed', path: '/3303/0/5605', args: "0='now'" }]);
  });

  it('[DEV-018] clears the error codes by Reset Error Code', () => {
    const { world } = ground();
    putResource(world, [3, 0, 11], new Map([[0, 2], [1, 5]])); // prettier-ignore
    assert.equal(ask(world, 'POST', '/3/0/12').code, '2.04');
    assert.deepEqual(resourceAt(world, [3, 0, 11]), new Map([[0, 0]]));
  });

  const refusals: [string, string, More, string][] = [
    ['arguments that are none', '/3/0/4', { payload: 'now!' }, '4.00'],
    ['arguments in another format', '/3/0/4', { payload: '0', contentFormat: 42 }, '4.15'],
    ['a resource that is not executable', '/3/0/0', {}, '4.05'],
    ['an executable resource it has not', '/1/0/9', {}, '4.04'],
    ['an update without a package', '/5/0/2', {}, '4.05'],
  ];
  for (const [name, path, more, code] of refusals) {
    it(`[DEV-018] refuses ${name} with ${code}`, () => {
      const { world } = ground();
      assert.equal(ask(world, 'POST', path, more).code, code);
      assert.deepEqual(world.events, []);
    });
  }
});

describe('Create and Delete', () => {
  it('[DEV-019] creates an instance with the id and values of the payload', () => {
    const { world } = ground();
    const payload = JSON.stringify([
      { bn: '/19/5/', n: '0/0', vd: 'AQID' },
      { n: '3', vs: 'mine' },
    ]);
    const response = ask(world, 'POST', '/19', { payload, contentFormat: JSON_SENML });
    assert.equal(response.code, '2.01');
    assert.deepEqual(response.location, ['19', '5']);
    assert.equal(text(ask(world, 'GET', '/19/5/3')), 'mine');
    assert.deepEqual([...world.actions], ['objects-changed']);
  });

  it('[DEV-019] takes the id of an object instance TLV, and chooses one when there is none', () => {
    const { world } = ground();
    const bare = fromHex('c10107'); // resource 1 = 7
    assert.deepEqual(ask(world, 'POST', '/19', { payload: bare, contentFormat: TLV }).location, ['19', '2']);
    assert.deepEqual(ask(world, 'POST', '/19', { payload: Buffer.concat([fromHex('0309'), bare]), contentFormat: TLV }).location, [
      '19',
      '9',
    ]);
    assert.deepEqual(ask(world, 'POST', '/19').location, ['19', '3']);
    assert.equal(text(ask(world, 'GET', '/19/9/1')), '7');
  });

  it('[DEV-019] deletes an instance with its attributes', () => {
    const { world } = ground();
    ask(world, 'PUT', '/19/1/1', { query: ['pmin=3'] });
    assert.equal(ask(world, 'DELETE', '/19/1').code, '2.02');
    assert.equal(ask(world, 'GET', '/19/1').code, '4.04');
    assert.equal(world.attributes.size, 0);
  });

  it('[DEV-019] has an empty object when all are deleted', () => {
    const { world } = ground();
    for (const id of [0, 1]) ask(world, 'DELETE', `/19/${id}`);
    const response = ask(world, 'GET', '/19');
    assert.equal(response.code, '2.05');
    assert.equal(hex(response), '');
  });

  it('[DEV-019] has room for 16 instances', () => {
    const { world } = ground();
    for (let id = 2; id < 16; id += 1) assert.equal(ask(world, 'POST', '/19').code, '2.01');
    assert.equal(ask(world, 'POST', '/19').code, '4.00');
  });

  const refusals: [string, DeviceRequest['method'], string, More, string][] = [
    ['an instance that is there', 'POST', '/19', { payload: '[{"n":"/19/0/1","v":1}]', contentFormat: JSON_SENML }, '4.00'],
    [
      'two instances at once',
      'POST',
      '/19',
      { payload: '[{"n":"/19/7/1","v":1},{"n":"/19/8/1","v":1}]', contentFormat: JSON_SENML },
      '4.00',
    ],
    ['an instance of a single object', 'POST', '/3', {}, '4.05'],
    ['an instance of no object', 'POST', '/9', {}, '4.04'],
    ['a payload of an unknown format', 'POST', '/19', { payload: 'x', contentFormat: 50 }, '4.15'],
    ['deleting the Device object', 'DELETE', '/3/0', {}, '4.05'],
    ['deleting an object', 'DELETE', '/19', {}, '4.05'],
    ['deleting a resource', 'DELETE', '/19/0/1', {}, '4.05'],
    ['deleting everything', 'DELETE', '/', {}, '4.05'],
    ['deleting what is not there', 'DELETE', '/19/7', {}, '4.04'],
    ['creating in the Security object', 'POST', '/0', {}, '4.01'],
  ];
  for (const [name, method, path, more, code] of refusals) {
    it(`[DEV-019] refuses ${name} with ${code}`, () => {
      const { world } = ground();
      assert.equal(ask(world, method, path, more).code, code);
      assert.equal(world.actions.size, 0);
    });
  }
});

describe('composite operations', () => {
  it('[DEV-020] Read-Composite reads what is there of the paths', () => {
    const payload = JSON.stringify([{ n: '/3/0/3' }, { n: '/3303/0/5701' }, { n: '/3/0/77' }]);
    const response = ask(ground().world, 'FETCH', '/', { payload, contentFormat: JSON_SENML, accept: JSON_SENML });
    assert.equal(response.code, '2.05');
    const values = (JSON.parse(text(response)) as { vs: string }[]).map((record) => record.vs);
    assert.deepEqual(values, ['1.0.0', 'Cel']);
  });

  it('[DEV-020] Write-Composite writes to several objects, all or nothing', () => {
    const { world } = ground();
    const good = JSON.stringify([
      { n: '/3/0/15', vs: 'Europe/Paris' },
      { n: '/1/0/1', v: 600 },
    ]);
    assert.equal(ask(world, 'iPATCH', '/', { payload: good, contentFormat: JSON_SENML }).code, '2.04');
    assert.equal(resourceAt(world, [3, 0, 15]), 'Europe/Paris');
    assert.equal(resourceAt(world, [1, 0, 1]), 600);
    const bad = JSON.stringify([
      { n: '/3/0/15', vs: 'Etc/UTC' },
      { n: '/77/0/1', v: 600 },
    ]);
    assert.equal(ask(world, 'iPATCH', '/', { payload: bad, contentFormat: JSON_SENML }).code, '4.04');
    assert.equal(resourceAt(world, [3, 0, 15]), 'Europe/Paris');
  });

  it('[DEV-020] a 1.0 device has none of them; PATCH and unknown methods are refused', () => {
    assert.equal(ask(ground({ version: '1.0' }).world, 'FETCH', '/', { payload: '[]', contentFormat: JSON_SENML }).code, '4.05');
    assert.equal(ask(ground().world, 'FETCH', '/', { payload: 'x', contentFormat: 0 }).code, '4.15');
    for (const method of ['PATCH', 'unknown'] as const) assert.equal(ask(ground().world, method, '/3/0/9').code, '4.05');
  });
});

it('[DEV-004] any request has an answer', () => {
  const { world } = ground();
  const segment = fc.constantFrom('0', '1', '3', '5', '6', '9', '14', '19', '3303', '5700', '65535', 'x', '');
  const format = fc.constantFrom(undefined, 0, 40, 42, 60, 110, 112, 11542, 11543, 11544, 50);
  fc.assert(
    fc.property(
      fc.constantFrom<DeviceRequest['method']>('GET', 'PUT', 'POST', 'DELETE', 'FETCH', 'iPATCH'),
      fc.array(segment, { maxLength: 5 }),
      format,
      format,
      fc.uint8Array({ maxLength: 24 }),
      fc.array(fc.constantFrom('pmin=1', 'pmax', 'gt=x', '', '=', 'st=0.1'), { maxLength: 2 }),
      (method, path, contentFormat, accept, payload, query) => {
        const formats = { ...(contentFormat === undefined ? {} : { contentFormat }), ...(accept === undefined ? {} : { accept }) };
        const { code } = ask(world, method, `/${path.join('/')}`, { ...formats, payload, query });
        assert.match(code, /^(2\.0[1245]|4\.(00|01|04|05|06|15))$/);
      },
    ),
    { seed: 3, numRuns: 3000 },
  );
  assert.ok(!world.events.some((event) => event.kind === 'error'));
});
