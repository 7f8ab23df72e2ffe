import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  LinkFormatError,
  MAX_ATTRIBUTES,
  MAX_LINKS,
  MAX_LINK_TEXT,
  formatLinks,
  linkAttribute,
  parseLinks,
} from '../../../lib/lwm2m/link-format';
import type { Link } from '../../../lib/lwm2m/link-format';

const link = (target: string, ...attributes: [string, string | null][]): Link => ({ target, attributes });

describe('link-format', () => {
  // [LANG-010] [LANG-011] [LANG-012] [LANG-013]
  const good: [string, string, Link[]][] = [
    ['LANG-010', '', []],
    ['LANG-010', '</1/0>,</3/0>', [link('/1/0'), link('/3/0')]],
    [
      'LANG-010',
      '</>;rt="oma.lwm2m";ct="60 110 112",</1>;ver=1.1,</1/0>',
      [link('/', ['rt', 'oma.lwm2m'], ['ct', '60 110 112']), link('/1', ['ver', '1.1']), link('/1/0')],
    ],
    ['LANG-012', '</5>;ver="1.1"', [link('/5', ['ver', '1.1'])]],
    ['LANG-012', '</5>;ver=1.1', [link('/5', ['ver', '1.1'])]],
    ['LANG-011', '</a> , </b> ; ver = 1.1 ,\r\n\t</c>', [link('/a'), link('/b', ['ver', '1.1']), link('/c')]],
    ['LANG-011', ' </a>', [link('/a')]],
    ['LANG-011', '</a>,', [link('/a')]],
    ['LANG-011', '</a>, ', [link('/a')]],
    ['LANG-013', '</>;rt="oma.lwm2m";hb,</1>', [link('/', ['rt', 'oma.lwm2m'], ['hb', null]), link('/1')]],
    ['LANG-013', '</3/0>;pmin=0;pmax=60', [link('/3/0', ['pmin', '0'], ['pmax', '60'])]],
    ['LANG-010', '</a>;x=",;<>=\\"\\\\",</b>', [link('/a', ['x', ',;<>="\\']), link('/b')]],
    ['LANG-010', '</a>;x=<,</b>;y=/z', [link('/a', ['x', '<']), link('/b', ['y', '/z'])]],
    ['LANG-010', '</a>;x="",</a>', [link('/a', ['x', '']), link('/a')]],
    ['LANG-010', '<coap://h/x>;title="ü"', [link('coap://h/x', ['title', 'ü'])]],
  ];
  for (const [id, text, links] of good) {
    it(`[${id}] reads ${JSON.stringify(text)}`, () => assert.deepEqual(parseLinks(text), links));
  }

  const bad: [string, number][] = [
    ['x', 0],
    ['</a', 3],
    ['<>', 1],
    ['</a b>', 3],
    ['</é>', 2],
    ['</a></b>', 4],
    ['</a>,,</b>', 5],
    ['</a>;', 5],
    ['</a>;=1', 5],
    ['</a>;x=', 7],
    ['</a>;x="b', 7],
    ['</a>;x="b\\"', 7],
    ['</a>;x=1 2', 9],
    ['<</a>', 1],
  ];
  for (const [text, offset] of bad) {
    it(`[LANG-014] refuses ${JSON.stringify(text)} at ${offset}`, () => {
      assert.throws(
        () => parseLinks(text),
        (error: unknown) => error instanceof LinkFormatError && error.offset === offset,
      );
    });
  }

  it('[LANG-015] has bounds', () => {
    assert.equal(parseLinks('</1>,'.repeat(MAX_LINKS)).length, MAX_LINKS);
    assert.throws(() => parseLinks('</1>,'.repeat(MAX_LINKS + 1)), /More than 10000 links/);
    assert.equal(parseLinks(`</1>${';a'.repeat(MAX_ATTRIBUTES)}`)[0]?.attributes.length, MAX_ATTRIBUTES);
    assert.throws(() => parseLinks(`</1>${';a'.repeat(MAX_ATTRIBUTES + 1)}`), /More than 64 attributes/);
    assert.throws(() => parseLinks(' '.repeat(MAX_LINK_TEXT + 1)), LinkFormatError);
  });

  it('[LANG-015] reads hostile texts in linear time', () => {
    // Quadratic work on texts of this length would run into the time limit of the test.
    for (const part of ['<', '</a>;', '</a>;x="', '\\"', ' ', '</a>;x="\\"', ';x="a']) {
      assert.throws(() => parseLinks(`</a>;x="${part.repeat(30_000)}`.slice(0, MAX_LINK_TEXT)), LinkFormatError);
    }
  });

  it('[LANG-016] writes in the shortest form', () => {
    const links = [
      link('/', ['rt', 'oma.lwm2m'], ['ct', '60 110']),
      link('/3', ['ver', '1.1']),
      link('/3/0'),
      link('/4', ['hb', null], ['x', 'a"b\\']),
    ];
    assert.equal(formatLinks(links), '</>;rt="oma.lwm2m";ct="60 110",</3>;ver=1.1,</3/0>,</4>;hb;x="a\\"b\\\\"');
    assert.throws(() => formatLinks([link('/a>,</b')]), LinkFormatError);
    assert.throws(() => formatLinks([link('')]), LinkFormatError);
    assert.throws(() => formatLinks([link('/a', ['x=1;y', null])]), LinkFormatError);
  });

  it('[LANG-016] writes what it reads', () => {
    const target = fc.stringMatching(/^[/a-zA-Z0-9_.~%-]{1,20}$/);
    const attribute = fc.tuple(fc.stringMatching(/^[a-z*-]{1,8}$/), fc.option(fc.string({ unit: 'binary' }), { nil: null }));
    const links = fc.array(fc.record({ target, attributes: fc.array(attribute, { maxLength: 5 }) }, { noNullPrototype: true }), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(links, (list) => assert.deepEqual(parseLinks(formatLinks(list)), list)),
      { seed: 3, numRuns: 200 },
    );
  });

  it('[LANG-014] throws nothing but LinkFormatError', () => {
    const soup = fc
      .array(fc.constantFrom('<', '>', '/', ',', ';', '=', '"', '\\', ' ', 'a', '1', 'ver', 'é', '\u0000'))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(soup, (text) => {
        try {
          parseLinks(text);
        } catch (error) {
          assert.ok(error instanceof LinkFormatError, String(error));
        }
      }),
      { seed: 4, numRuns: 5000 },
    );
  });

  it('[LANG-017] finds the first attribute of a name', () => {
    const found = link('/', ['rt', 'a'], ['hb', null], ['rt', 'b']);
    assert.equal(linkAttribute(found, 'rt'), 'a');
    assert.equal(linkAttribute(found, 'hb'), null);
    assert.equal(linkAttribute(found, 'ct'), undefined);
  });
});
