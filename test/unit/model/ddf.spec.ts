import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { DdfError, DdfParser, MAX_DDF_SIZE, parseDdf } from '../../../lib/model/ddf';
import { omaObjects } from '../../../lib/model/oma';
import type { ObjectDefinition } from '../../../lib/model/types';

/** A definition as a maker of devices would write it; each test changes one thing. */
const tank = `<?xml version="1.0" encoding="UTF-8"?>
<!-- a comment with <Object> in it -->
<LWM2M xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://openmobilealliance.org/tech/profiles/LWM2M.xsd">
  <Object ObjectType="MODefinition">
    <Name>Oil
      Tank</Name>
    <Description1><![CDATA[Text with <b>marks</b>]]></Description1>
    <ObjectID>33333</ObjectID>
    <ObjectURN>urn:oma:lwm2m:x:33333:1.2</ObjectURN>
    <LWM2MVersion>1.1</LWM2MVersion>
    <ObjectVersion>1.2</ObjectVersion>
    <MultipleInstances>Multiple</MultipleInstances>
    <Mandatory>Optional</Mandatory>
    <Resources>
      <Item ID="7"><Name>Alarm &amp; Horn</Name><Operations>E</Operations><MultipleInstances>Single</MultipleInstances>
        <Mandatory>Optional</Mandatory><Type></Type><RangeEnumeration/><Units/><Description/></Item>
      <Item ID="0">
        <Name>Level</Name>
        <Operations>RW</Operations>
        <MultipleInstances>Multiple</MultipleInstances>
        <Mandatory>Mandatory</Mandatory>
        <Type>Unsigned Integer</Type>
        <RangeEnumeration>0..100</RangeEnumeration>
        <Units>%</Units>
        <Description>How full it is</Description>
      </Item>
    </Resources>
    <Description2></Description2>
  </Object>
</LWM2M>
`;

function refusal(xml: string | Uint8Array): DdfError {
  try {
    parseDdf(xml);
  } catch (error) {
    assert.ok(error instanceof DdfError, String(error));
    return error;
  }
  assert.fail('it was taken');
}

describe('object definition files', () => {
  it('[LANG-063] are read: object, resources by id, types, operations, multiplicity, range, unit', () => {
    const [object, ...others] = parseDdf(tank);
    assert.deepEqual(others, []);
    assert.deepEqual(
      { ...object, resources: [...(object?.resources.values() ?? [])] },
      {
        id: 33333,
        name: 'Oil Tank',
        version: '1.2',
        multiple: true,
        mandatory: false,
        resources: [
          { id: 0, name: 'Level', operations: 'RW', multiple: true, mandatory: true, type: 'unsigned', range: '0..100', units: '%' },
          { id: 7, name: 'Alarm & Horn', operations: 'E', multiple: false, mandatory: false, type: 'none' },
        ],
      },
    );
  });

  it('[LANG-063] may hold several objects; without a version, or with a blank one, it is 1.0', () => {
    const object = /<Object [\s\S]*<\/Object>/.exec(tank)![0];
    const two = `<LWM2M>${object}${object.replace('33333', '33334').replace('<ObjectVersion>1.2</ObjectVersion>', '')}
      ${object.replace('33333', '33335').replace('>1.2</ObjectVersion>', '> </ObjectVersion>')}</LWM2M>`;
    assert.deepEqual(
      parseDdf(two).map(({ id, version }) => `${id} ${version}`),
      ['33333 1.2', '33334 1.0', '33335 1.0'],
    );
  });

  it('[LANG-063] with resources that objects share, and nothing else, describe no object', () => {
    const item = '<Item ID="4000"><Name>x</Name><Operations>R</Operations><Type>Integer</Type></Item>';
    assert.deepEqual(parseDdf(`<LWM2M><Object ObjectType="CommonResources"><Resources>${item}</Resources></Object></LWM2M>`), []);
  });

  it('[LANG-063] read in pieces are the same as read at once', () => {
    for (const size of [1, 7, 64]) {
      const parser = new DdfParser();
      for (let at = 0; at < tank.length; at += size) parser.write(tank.slice(at, at + size));
      assert.deepEqual(parser.end(), parseDdf(tank));
    }
  });

  const encoded: [string, Uint8Array][] = [
    ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${tank}`, 'utf8')],
    ['UTF-16 little endian', Buffer.from(`\ufeff${tank.replace('UTF-8', 'UTF-16')}`, 'utf16le')],
    ['UTF-16 big endian', Buffer.from(`\ufeff${tank.replace('UTF-8', 'UTF-16')}`, 'utf16le').swap16()],
    ['ISO 8859-1', Buffer.from(tank.replace('UTF-8', 'ISO-8859-1'), 'latin1')],
    ['ASCII', Buffer.from(tank.replace('UTF-8', 'us-ascii'), 'latin1')],
    ['no declaration', Buffer.from(tank.slice(tank.indexOf('<!--')), 'utf8')],
    ['CRLF line ends', Buffer.from(tank.replaceAll('\n', '\r\n'), 'utf8')],
  ];
  for (const [name, bytes] of encoded) it(`[LANG-066] are read in ${name}`, () => assert.deepEqual(parseDdf(bytes), parseDdf(tank)));

  it('[LANG-066] in ISO 8859-1 keep their letters', () => {
    const xml = tank.replace('UTF-8', 'ISO-8859-1').replace('<Name>Level', '<Name>F\u00fcllstand');
    assert.equal(parseDdf(Buffer.from(xml, 'latin1'))[0]?.resources.get(0)?.name, 'F\u00fcllstand');
  });

  it('[LANG-066] in an encoding they do not have, or that is not known, are refused', () => {
    assert.match(refusal(Buffer.from(tank.replace('Level', 'F\u00fcllstand'), 'latin1')).reason, /not UTF-8 text/);
    assert.match(refusal(Buffer.from(tank.replace('UTF-8', 'EBCDIC-US'), 'latin1')).reason, /encoding ebcdic-us is not known/);
  });

  // [LANG-064] what is wrong, the text that shows it, the line, the reason
  const bad: [string, string, number, RegExp][] = [
    ['nothing', '', 1, /must contain a root element/],
    ['JSON', '{\n "id": 3 }', 2, /outside of root/],
    ['a web page', '<html>\n<body/></html>', 1, /outermost element is <html>/],
    ['the list of all objects', '<?xml version="1.0"?>\n<DDFList>\n</DDFList>', 2, /outermost element is <DDFList>/],
    ['another namespace', '\n<x:LWM2M xmlns:x="a"/>', 2, /outermost element is <x:LWM2M>/],
    ['an end too early', tank.slice(0, 700), 15, /not well-formed XML: unclosed/],
    ['an element that is not closed', tank.replace('</Units>\n', '\n'), 26, /not well-formed XML/],
    ['a stray ampersand', tank.replace('&amp;', '&'), 15, /not well-formed XML/],
    ['a stray ampersand before a semicolon', tank.replace('&amp;', '&').replace('How full', 'this; that'), 15, /not well-formed XML/],
    ['an entity nobody defined', tank.replace('&amp;', '&ouml;'), 15, /undefined entity/],
    ['an attribute twice', tank.replace('ID="7"', 'ID="7" ID="8"'), 15, /duplicate attribute/],
    ['a second root', `${tank}<LWM2M/>`, 31, /only one root/],
    ['a control character', tank.replace('Horn', '\u0001'), 15, /disallowed character/],
    ['nothing in it', '<LWM2M>\n</LWM2M>', 2, /no <Object>/],
    ['something else in it', '<LWM2M>\n<Device/></LWM2M>', 2, /<Device> in it where <Object> belongs/],
    ['no object id', tank.replace('<ObjectID>33333</ObjectID>', ''), 4, /no <ObjectID>/],
    ['an object id that is none', tank.replace('33333', 'three'), 8, /<ObjectID> is "three", which is not a number from 0 to 65534/],
    ['the object id that is reserved', tank.replace('33333', '65535'), 8, /"65535"/],
    ['a negative object id', tank.replace('33333', '-3'), 8, /"-3"/],
    ['no name', tank.replace('<Name>Level</Name>', ''), 17, /resource 0 has no <Name>/],
    ['a version that is none', tank.replace('>1.2<', '>latest<'), 11, /version "latest"/],
    ['no resources', tank.replace(/<Resources>[\s\S]*<\/Resources>/, ''), 4, /no <Resources>/],
    ['a resource twice', tank.replace('ID="0"', 'ID="7"'), 17, /resource 7 is there twice/],
    ['a resource without an id', tank.replace(' ID="0"', ''), 17, /attribute ID of <Item> is ""/],
    ['a resource id beyond the highest', tank.replace('ID="0"', 'ID="70000"'), 17, /"70000"/],
    ['a type nobody knows', tank.replace('Unsigned Integer', 'Double'), 22, /resource 0 has the type "Double"; the types are/],
    ['no type', tank.replace('<Type>Unsigned Integer</Type>', ''), 17, /resource 0 has no <Type>/],
    ['operations nobody knows', tank.replace('>RW<', '>RX<'), 19, /resource 0 has the operations "RX"/],
    ['no operations', tank.replace('<Operations>RW</Operations>', ''), 17, /no <Operations>/],
    [
      'a multiplicity nobody knows',
      tank.replace('<MultipleInstances>Multiple', '<MultipleInstances>Many'),
      12,
      /neither Multiple nor Single/,
    ],
    ['an element twice', tank.replace('<Units>%</Units>', '<Units>%</Units><Units>l</Units>'), 24, /<Units> is there twice/],
    ['a name without end', tank.replace('Level', 'x'.repeat(501)), 18, /501 characters, 500 are the most/],
    ['elements without end', '<LWM2M><a>', 1, /<a> in it/],
    ['a deep nest', tank.replace('How full', '<b>'.repeat(20)), 25, /more than 16 elements/],
  ];
  for (const [name, xml, line, reason] of bad) {
    it(`[LANG-064] with ${name} are refused with the line and the reason`, () => {
      const error = refusal(xml);
      assert.match(error.reason, reason);
      assert.equal(error.line, line, error.reason);
    });
  }

  const laughs = Array.from({ length: 12 }, (_, at) => `<!ENTITY l${at + 1} "${`&l${at};`.repeat(10)}">`).join('\n');
  const doctypes: [string, string][] = [
    ['billion laughs', `<?xml version="1.0"?>\n<!DOCTYPE LWM2M [\n<!ENTITY l0 "ha">\n${laughs}\n]>\n<LWM2M>&l12;</LWM2M>`],
    [
      'a quadratic blow-up',
      `<?xml version="1.0"?>\n<!DOCTYPE LWM2M [<!ENTITY a "${'a'.repeat(50_000)}">]>\n<LWM2M>${'&a;'.repeat(50_000)}</LWM2M>`,
    ],
    ['an external entity', `\n<!DOCTYPE LWM2M [<!ENTITY f SYSTEM "file:///etc/passwd">]>\n<LWM2M>&f;</LWM2M>`],
    ['an external subset', `\n<!DOCTYPE LWM2M SYSTEM "http://127.0.0.1:1/x.dtd">\n<LWM2M/>`],
    ['a parameter entity', `\n<!DOCTYPE LWM2M [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]>\n<LWM2M/>`],
    ['a plain document type', `\n<!DOCTYPE LWM2M>\n<LWM2M/>`],
  ];
  for (const [name, xml] of doctypes) {
    it(`[LANG-065] with ${name} are refused where the document type begins, unexpanded`, () => {
      const error = refusal(xml);
      assert.match(error.reason, /document type/);
      assert.equal(error.line, 2);
    });
  }

  it('[LANG-065] of 100 MB are refused unread', () => {
    const error = refusal(Buffer.alloc(100 * 1024 * 1024, 0x20));
    assert.deepEqual(
      [error.line, error.reason],
      [1, `the file has ${100 * 1024 * 1024} bytes and is too large, ${MAX_DDF_SIZE} are the most`],
    );
    assert.match(refusal(' '.repeat(MAX_DDF_SIZE + 1)).reason, /too large/);
  });

  it('[LANG-065] as a stream without end are refused at the limit', () => {
    const parser = new DdfParser();
    parser.write('<LWM2M><Object><Name>');
    let written = 0;
    assert.throws(() => {
      for (;;) {
        parser.write('x'.repeat(65_536));
        written += 65_536;
      }
    }, /too large/);
    assert.ok(written <= MAX_DDF_SIZE);
  });

  it('[LANG-065] whatever they hold, give objects or a DdfError with a line', () => {
    const pieces = fc.constantFrom(
      '<',
      '>',
      '/',
      '&',
      ';',
      '"',
      ']]>',
      '<!--',
      '-->',
      '<![CDATA[',
      '<!DOCTYPE ',
      '<?',
      '&#x110000;',
      '\ud800',
      '\n',
      '<Item ID="1">',
      '<Object>',
      '</Object>',
    );
    const broken = fc
      .tuple(fc.nat(tank.length), fc.nat(40), pieces)
      .map(([at, gone, piece]) => tank.slice(0, at) + piece + tank.slice(at + gone));
    const anything = fc.oneof(broken, fc.string({ unit: 'binary' }), fc.uint8Array({ maxLength: 400 }));
    fc.assert(
      fc.property(anything, (xml) => {
        try {
          assert.ok(Array.isArray(parseDdf(xml)));
        } catch (error) {
          assert.ok(error instanceof DdfError, String(error));
          assert.ok(error.line >= 1 && error.reason !== '');
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('the files of the OMA registry', () => {
  const data = process.env['LWM2M_SHARED_DATA'];
  const folder = data === undefined ? undefined : path.join(data, 'lwm2m-registry');
  /** Lists beside the objects: of all files, and of units. */
  const lists = ['DDF.xml', 'LWM2M_senml_units.xml'];

  it('[LANG-067] are all read, and say what the compiled facts say', function () {
    if (folder === undefined || !existsSync(folder)) {
      console.warn('      SKIPPED: the registry is not here; set LWM2M_SHARED_DATA to the folder that has lwm2m-registry/');
      this.skip();
      return;
    }
    const read = new Map<string, ObjectDefinition>();
    let files = 0;
    for (const sub of ['.', 'version_history']) {
      for (const file of readdirSync(path.join(folder, sub)).filter((name) => name.endsWith('.xml'))) {
        files++;
        const xml = readFileSync(path.join(folder, sub, file));
        if (lists.includes(file)) {
          assert.match(refusal(xml).reason, /outermost element is <(DDFList|units)>/);
          continue;
        }
        const objects = parseDdf(xml);
        assert.equal(objects.length, file === 'Common.xml' ? 0 : 1, file);
        // A current file comes first, as for the compiled facts.
        for (const object of objects) if (!read.has(`${object.id}/${object.version}`)) read.set(`${object.id}/${object.version}`, object);
      }
    }
    assert.ok(files > 700, `${files} files`);
    const compiled = new Map(omaObjects().map((object) => [`${object.id}/${object.version}`, object]));
    assert.deepEqual([...read.keys()].sort(), [...compiled.keys()].sort());
    for (const [key, object] of read) assert.deepEqual(object, compiled.get(key), key);
  });
});
