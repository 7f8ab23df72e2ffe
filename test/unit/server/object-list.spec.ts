import assert from 'node:assert/strict';
import type { Registration } from '../../../lib/server/types';
import * as coap from '../../support/coap-message';
import { eventsOf } from '../../support/ground';
import { closeAll, createWorld, perform, read, ScriptedPeer, story } from './fixture';

function listing(payload: string | Buffer, version = '1.1') {
  const ground = createWorld();
  const peer = new ScriptedPeer(ground);
  const answer = peer.ask({ query: ['ep=dev', `lwm2m=${version}`], contentFormat: 40, payload });
  return { ground, peer, code: coap.codeText(answer.code), registration: ground.server.registration('dev'), answer };
}

/** "1/0 3/0 5" of the objects of a registration. */
function objects(registration: Registration | undefined): string {
  return (registration?.objects ?? [])
    .map(({ objectId, instanceId }) => (instanceId === undefined ? `${objectId}` : `${objectId}/${instanceId}`))
    .join(' ');
}

describe('object list of Register', () => {
  afterEach(closeAll);

  for (const [payload, expected] of [
    ['</1/0>,</3/0>', '1/0 3/0'],
    ['</2>,</1/0>', '2 1/0'],
    ['</1>;ver=1.1,</1/0>,</1/1>', '1 1/0 1/1'],
    ['</3303/0>,</3303/0>,</3303/0>', '3303/0'],
    ['</3/0/>,<5/0>,</6/>', '3/0 5/0 6'],
    ['</65534/65534>,</0/0>', '65534/65534 0/0'],
    ['</3/0>,</digitalOutput/0>,</.well-known/core>,</3/0/9>,</dp>,<coap://example.org/7/0>', '3/0'],
    ['</1234567/0>,</3/0>', '3/0'],
  ] as const) {
    it(`[SRV-020] reads ${payload} as ${expected}`, () => {
      const { code, registration } = listing(payload);
      assert.equal(code, '2.01');
      assert.equal(objects(registration), expected);
    });
  }

  for (const [payload, versions] of [
    ['</3/0>;ver=1.2,</3303/0>', { 3: '1.2', 3303: '1.0' }],
    ['</3/0>;ver="1.2"', { 3: '1.2' }],
    ['</3303>;ver="1.1",</3303/0>', { 3303: '1.1' }],
    ['</3303/0>,</3303>;ver=1.1', { 3303: '1.1' }],
    ['</3303/0>;ver=1.1,</3303/1>', { 3303: '1.1' }],
    ['</3303>;ver=abc,</3304>;ver,</3305>;ver=1,</3306>;ver=1.1.1', { 3303: '1.0', 3304: '1.0', 3305: '1.0', 3306: '1.0' }],
  ] as const) {
    it(`[SRV-021] takes the versions of ${payload}`, () => {
      const { registration } = listing(payload, '1.0');
      assert.deepEqual(Object.fromEntries(registration?.versions ?? []), versions);
    });
  }

  for (const [version, versions] of [
    ['1.0', { 0: '1.0', 1: '1.0', 2: '1.0', 3: '1.0', 4: '1.0', 5: '1.0', 6: '1.0', 7: '1.0', 3303: '1.0' }],
    ['1.1', { 0: '1.1', 1: '1.1', 2: '1.0', 3: '1.1', 4: '1.2', 5: '1.0', 6: '1.0', 7: '1.0', 3303: '1.0' }],
    ['1.2', { 0: '1.2', 1: '1.2', 2: '1.1', 3: '1.2', 4: '1.3', 5: '1.1', 6: '1.0', 7: '1.0', 3303: '1.0' }],
  ] as const) {
    it(`[SRV-021] implies the object versions of LwM2M ${version}`, () => {
      const { registration } = listing('</0/0>,</1/0>,</2/0>,</3/0>,</4/0>,</5/0>,</6/0>,</7/0>,</3303/0>', version);
      assert.deepEqual(Object.fromEntries(registration?.versions ?? []), versions);
    });
  }

  for (const [payload, formats] of [
    ['</>;rt="oma.lwm2m";ct=110,</3/0>', [110]],
    ['</>;ct="60 110 112 11542 11543";rt="oma.lwm2m",</3/0>', [60, 110, 112, 11_542, 11_543]],
    ['</>;ct="110,112";hb,</3/0>', [110, 112]],
    ['</>;ct=11543,</3/0>', [11_543]],
    ['</>;rt="oma.lwm2m other";ct="x 110 -1 999999 112",</3/0>', [110, 112]],
    ['</>;ct,</3/0>', []],
    ['</3/0>;ct=110', []],
    ['</3/0>', []],
  ] as const) {
    it(`[SRV-022] reads the content formats ${JSON.stringify(formats)} from ${payload}`, () => {
      const { code, registration } = listing(payload);
      assert.equal(code, '2.01');
      assert.deepEqual(registration?.contentFormats, formats);
      assert.equal(registration.rootPath, '');
    });
  }

  for (const [payload, rootPath, expected] of [
    ['</lwm2m>;rt="oma.lwm2m";ct=110,</lwm2m/1/0>,</lwm2m/3/0>', '/lwm2m', '1/0 3/0'],
    ['</lwm2m/>;rt="oma.lwm2m",</lwm2m/3>', '/lwm2m', '3'],
    ['</3/0>,</1/0>,</a/b>;rt=oma.lwm2m', '/a/b', '3/0 1/0'],
    ['</lwm2m>;rt="oma.lwm2m",</lwm2mish/3/0>,</lwm2m/3/0>', '/lwm2m', '3/0'],
    ['</>,</lwm2m>;rt="oma.lwm2m",</lwm2m/3/0>', '/lwm2m', '3/0'],
    ['</5>;rt="oma.lwm2m",</5/3/0>,</5/1>', '/5', '3/0 1'],
  ] as const) {
    it(`[SRV-023] finds the alternate path ${rootPath} in ${payload}`, () => {
      const { registration } = listing(payload);
      assert.equal(registration?.rootPath, rootPath);
      assert.equal(objects(registration), expected);
    });
  }

  it('[SRV-023] puts the alternate path before every path it asks for', async () => {
    const { ground, peer } = listing('</a/b>;rt="oma.lwm2m",</a/b/3/0>');
    const { request } = await perform(ground, peer, { operation: read(3, 0, 9), answer: { payload: '5' } });
    assert.deepEqual(coap.texts(request, coap.OptionNumber.UriPath), ['a', 'b', '3', '0', '9']);
  });

  for (const target of [
    `/${'x'.repeat(256)}`,
    '/a'.repeat(200),
    `/${'x'.repeat(70_000)}`,
    'coap://example.org/lwm2m',
    '/a//b',
    '/a?b',
    '/a#b',
  ]) {
    it(`[SRV-024] refuses the alternate path ${target.slice(0, 24)} (${target.length} characters), which no request could carry`, () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      assert.equal(upload(peer, `<${target}>;rt="oma.lwm2m",</3/0>`), '4.00');
      assert.deepEqual(ground.server.registrations(), []);
    });
  }

  for (const [what, payload] of [
    ['nothing', ''],
    ['only the root', '</>;rt="oma.lwm2m";ct=110'],
    ['only other resources', '</digitalOutput/0>,</temperature>'],
    ['only a comma', ','],
    ['no link-format', 'hello'],
    ['JSON', '[{"href":"/3/0"}]'],
    ['an open bracket', '</3/0'],
    ['an open quote', '</3/0>;ver="1.1'],
    ['bytes that are not UTF-8', Buffer.from('3c2f332f303e3b613d22ff22', 'hex')],
    ['a NUL', '</3/0>\0'],
  ] as const) {
    it(`[SRV-025] refuses ${what} with 4.00`, () => {
      const { code, ground } = listing(payload);
      assert.equal(code, '4.00');
      assert.deepEqual(story(ground.events), ['refused dev 4.00']);
    });
  }

  for (const payload of ['</65535/0>', '</3/65535>', '</3/0>,</999999>', '</3/0>,</3303/100000>']) {
    it(`[SRV-026] refuses ${payload}: ids end at 65534`, () => {
      const { code, ground } = listing(payload);
      assert.equal(code, '4.00');
      assert.match(eventsOf(ground.events, 'refused')[0]?.reason ?? '', /ids end at 65534/);
    });
  }

  for (const payload of ['</1/0>, </3/0>', '</1/0>,\r\n</3/0>,', '</1/0>;hb;foo="a,b;c\\"d",</3/0>;dim=3', '</01/0>,</3/00>']) {
    it(`[SRV-027] is lenient with ${JSON.stringify(payload)}`, () => {
      const { code, registration } = listing(payload);
      assert.equal(code, '2.01');
      assert.equal(objects(registration), '1/0 3/0');
    });
  }

  it('[SRV-028] takes thousands of links, sent in blocks', () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    const links = ['</>;rt="oma.lwm2m"', ...Array.from({ length: 5_000 }, (_, index) => `</3303/${index}>`)];
    assert.equal(upload(peer, links.join(',')), '2.01');
    const registration = ground.server.registration('dev');
    assert.equal(registration?.objects.length, 5_000);
    assert.deepEqual(registration.objects.at(-1), { objectId: 3303, instanceId: 4_999 });
    assert.deepEqual([...registration.versions], [[3303, '1.0']]);
  });

  it('[SRV-028] refuses more than 10 000 links with 4.00', () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    assert.equal(upload(peer, Array.from({ length: 10_001 }, (_, index) => `</3303/${index}>`).join(',')), '4.00');
  });

  it('[SRV-048] a byte order mark is not swallowed', () => {
    const peer = new ScriptedPeer(createWorld());
    assert.equal(peer.code({ query: ['ep=bom'], contentFormat: 40, payload: '\ufeff</3/0>' }), '4.00');
  });

  it('[SRV-048] lists that were read before are read alike, and told apart from others', () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    for (const payload of ['</3/0>', '</3/0>,</4/0>', '</3/0>', '</3/1>', 'nonsense', '</3/0>']) {
      const code = peer.code({ query: ['ep=again'], contentFormat: 40, payload });
      assert.equal(code, payload === 'nonsense' ? '4.00' : '2.01');
      if (code === '4.00') continue;
      const listed = ground.server.registration('again')?.objects.map(({ objectId, instanceId }) => `</${objectId}/${instanceId}>`);
      assert.equal(listed?.join(','), payload);
    }
    const shared = ground.server.registration('again')?.objects as { objectId: number }[];
    assert.throws(() => shared.push({ objectId: 9 }), TypeError, 'shared, so nobody may change it');
  });
});

/** Registers in blocks of 1024 bytes (RFC 7959 2.3) and gives back the code of the last answer. */
function upload(peer: ScriptedPeer, list: string): string {
  const payload = Buffer.from(list);
  const size = 1024;
  for (let num = 0; ; num++) {
    const more = (num + 1) * size < payload.length;
    peer.send({
      type: coap.CON,
      code: coap.code('0.02'),
      mid: 100 + num,
      token: Buffer.from([num >> 8, num & 255]),
      payload: payload.subarray(num * size, (num + 1) * size),
      options: [
        ...coap.pathOptions('/rd'),
        coap.textOption(coap.OptionNumber.UriQuery, 'ep=dev'),
        coap.uintOption(coap.OptionNumber.ContentFormat, 40),
        coap.blockOption(coap.OptionNumber.Block1, { num, more, size }),
      ],
    });
    peer.tick();
    const answer = peer.take();
    if (!more) return coap.codeText(answer.code);
    assert.equal(coap.codeText(answer.code), '2.31');
  }
}
