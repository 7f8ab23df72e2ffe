import assert from 'node:assert/strict';
import * as coap from '../../support/coap-message';
import { exchangesOf, isRegister } from '../../support/recorded-exchanges';
import { judgeRegister, readLinks } from '../../support/register-parser';
import { loadTraces } from '../../support/traces';

interface Parts {
  readonly query?: readonly string[];
  readonly links?: string;
  readonly type?: coap.MessageType;
  readonly code?: string;
  readonly path?: string;
  readonly options?: readonly coap.CoapOption[];
  readonly contentFormat?: number | undefined;
}

function register(parts: Parts = {}): Buffer {
  const { query = ['ep=a', 'lt=60'], links = '</3/0>', contentFormat = 40 } = parts;
  return coap.encodeMessage({
    type: parts.type ?? coap.CON,
    code: coap.code(parts.code ?? '0.02'),
    mid: 1,
    token: Buffer.from([1]),
    options: [
      ...coap.pathOptions(parts.path ?? '/rd'),
      ...('contentFormat' in parts && parts.contentFormat === undefined
        ? []
        : [coap.uintOption(coap.OptionNumber.ContentFormat, contentFormat)]),
      ...query.map((item) => coap.textOption(coap.OptionNumber.UriQuery, item)),
      ...(parts.options ?? []),
    ],
    payload: Buffer.from(links),
  });
}

const option = (number: number, hex: string): coap.CoapOption => ({ number, value: Buffer.from(hex, 'hex') });

describe('independent Register reader', () => {
  for (const [title, parts] of [
    ['a plain one', {}],
    ['no lifetime', { query: ['ep=a'] }],
    ['an infinite lifetime', { query: ['ep=a', 'lt=0'] }],
    ['LwM2M 1.0 with queue mode in the binding', { query: ['ep=a', 'lwm2m=1.0', 'b=UQ'] }],
    ['LwM2M 1.1 with Q', { query: ['ep=a', 'lwm2m=1.1', 'b=U', 'Q'] }],
    ['LwM2M 1.2 with MQTT', { query: ['ep=a', 'lwm2m=1.2', 'b=UM'] }],
    ['a profile id before LwM2M 1.2, where it means nothing', { query: ['ep=a', 'pid=1'] }],
    ['parameters nobody knows', { query: ['ep=a', 'mac=1', 'mac=2', 'x'] }],
    ['no Content-Format', { contentFormat: undefined }],
    ['an elective option', { options: [option(2_048, '01')] }],
    ['Uri-Host and Uri-Port', { options: [option(3, '61'), option(7, '1633')] }],
    ['the only block', { options: [option(27, '06')] }],
    ['blanks and a comma at the end', { links: ' </1/0> , </3/0>;ver="1.1" ,\n' }],
    ['an alternate path', { links: '</lwm2m>;rt="oma.lwm2m",</lwm2m/3/0>' }],
    ['links that are no objects', { links: '</a>;hb,</3>' }],
  ] as const satisfies readonly (readonly [string, Parts])[]) {
    it(`takes ${title}`, () => {
      const verdict = judgeRegister(register(parts));
      assert.equal(verdict.kind, 'register', JSON.stringify(verdict));
    });
  }

  for (const [title, parts] of [
    ['Non-confirmable', { type: coap.NON }],
    ['GET', { code: '0.01' }],
    ['another path', { path: '/rd/1' }],
    ['no endpoint name', { query: ['lt=60'] }],
    ['an empty endpoint name', { query: ['ep='] }],
    ['two endpoint names', { query: ['ep=a', 'ep=b'] }],
    ['an endpoint name with a line end', { query: ['ep=a\nb'] }],
    ['a lifetime with a sign', { query: ['ep=a', 'lt=-1'] }],
    ['an empty lifetime', { query: ['ep=a', 'lt='] }],
    ['a lifetime above 32 bits', { query: ['ep=a', 'lt=4294967296'] }],
    ['LwM2M 2.0', { query: ['ep=a', 'lwm2m=2.0'] }],
    ['UQ in LwM2M 1.1', { query: ['ep=a', 'lwm2m=1.1', 'b=UQ'] }],
    ['T in LwM2M 1.0', { query: ['ep=a', 'b=T'] }],
    ['Q in LwM2M 1.0', { query: ['ep=a', 'Q'] }],
    ['Q with a value', { query: ['ep=a', 'lwm2m=1.1', 'Q=1'] }],
    ['a profile id', { query: ['ep=a', 'lwm2m=1.2', 'pid=1'] }],
    ['an alternate path with an empty segment', { links: '</a//b>;rt="oma.lwm2m",</3/0>' }],
    ['an alternate path with a query', { links: '</a?b>;rt="oma.lwm2m",</3/0>' }],
    ['another Content-Format', { contentFormat: 0 }],
    ['an unknown critical option', { options: [option(2_049, '01')] }],
    ['If-None-Match', { options: [option(5, '')] }],
    ['Proxy-Uri', { options: [option(35, '61')] }],
    ['two Accept', { options: [option(17, '28'), option(17, '28')] }],
    ['the first of several blocks', { options: [option(27, '0e')] }],
    ['a later block', { options: [option(27, '16')] }],
    ['a reserved block size', { options: [option(27, '07')] }],
    ['no payload', { links: '' }],
    ['blanks', { links: '  ' }],
    ['only the root', { links: '</>;rt="oma.lwm2m"' }],
    ['a reserved id', { links: '</3/0>,</65535>' }],
    ['two commas', { links: '</3/0>,,</4>' }],
    ['an open quote', { links: '</3/0>;ver="1.1' }],
    ['an attribute with "=" and no value', { links: '</3/0>;ver=' }],
    ['an attribute without a name', { links: '</3/0>;' }],
    ['a blank in the target', { links: '</3 /0>' }],
    ['text after a link', { links: '</3/0>x' }],
  ] as const satisfies readonly (readonly [string, Parts])[]) {
    it(`refuses ${title}`, () => assert.equal(judgeRegister(register(parts)).kind, 'other'));
  }

  it('reads what a Register says', () => {
    const data = register({
      query: ['ep=urn:dev:1', 'lt=300', 'lwm2m=1.1', 'b=UT', 'Q'],
      links: '</m>;rt="x oma.lwm2m";ct="60 110",</m/1/0>,</m/5>;ver=1.1',
    });
    assert.deepEqual(judgeRegister(data), {
      kind: 'register',
      endpoint: 'urn:dev:1',
      lifetime: 300,
      version: '1.1',
      binding: 'UT',
      queueMode: true,
      objects: ['/1/0', '/5'],
    });
  });

  it('reads links with their attributes', () => {
    assert.deepEqual(readLinks('</a>;x;y=1;z="a\\"b,c;d"'), [
      {
        target: '/a',
        attributes: [
          ['x', undefined],
          ['y', '1'],
          ['z', 'a"b,c;d'],
        ],
      },
    ]);
  });

  it('takes every recorded Register that came in one message', () => {
    let count = 0;
    for (const trace of loadTraces()) {
      for (const { request } of exchangesOf(trace, 'client')) {
        if (!isRegister(request.message) || coap.block(request.message, coap.OptionNumber.Block1) !== undefined) continue;
        const verdict = judgeRegister(request.record.bytes);
        assert.equal(verdict.kind, 'register', `${trace.name} ${request.record.index} ${JSON.stringify(verdict)}`);
        count += 1;
      }
    }
    assert.ok(count >= 20, String(count));
  });
});
