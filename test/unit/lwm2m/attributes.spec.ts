import assert from 'node:assert/strict';
import { AttributeError, checkAttributes, NOTIFICATION_ATTRIBUTES, type AttributeTarget } from '../../../lib/lwm2m/attributes';

const resource: AttributeTarget = { text: '/3/0/9', level: 3, type: 'integer', version: '1.2', removable: true };
const query = (given: Record<string, unknown>, target: Partial<AttributeTarget> = {}): string =>
  checkAttributes(given, { ...resource, ...target })
    .attributes.map(([name, value]) => (value === null ? name : `${name}=${value}`))
    .join('&');

describe('notification attributes', () => {
  for (const [given, expected, target = {}] of [
    [{ pmin: 10, pmax: 60 }, 'pmin=10&pmax=60'],
    [{ pmax: '60', pmin: ' 10 ' }, 'pmax=60&pmin=10'],
    [{ pmin: null, pmax: '' }, 'pmin&pmax'],
    [{ gt: 25.5, lt: -3, st: 0.5 }, 'gt=25.5&lt=-3&st=0.5'],
    [{ gt: 1e21, st: 1e-7 }, 'gt=1000000000000000000000&st=0.0000001'],
    [{ gt: '+5' }, 'gt=5'],
    [{ epmin: 1, epmax: 2 }, 'epmin=1&epmax=2', { version: '1.1' }],
    [{ con: true, hqmax: 5 }, 'con=1&hqmax=5', { level: 1 }],
    [{ con: 0 }, 'con=0'],
    [{ edge: 1 }, 'edge=1', { type: 'boolean' }],
    [{ gt: 5 }, 'gt=5', { type: undefined }],
    [{ gt: 5 }, 'gt=5', { level: 4 }],
    [{ pmin: 1, con: 1 }, 'pmin=1&con=1', { level: undefined }],
  ] as readonly (readonly [Record<string, unknown>, string, Partial<AttributeTarget>?])[]) {
    it(`[RPC-054] writes ${JSON.stringify(given)} as ${expected}`, () => assert.equal(query(given, target), expected));
  }

  for (const [given, text, target = {}] of [
    [{}, /no attributes/],
    [{ pmib: 1 }, /no attribute "pmib"\. The attributes are pmin, pmax/],
    [{ ver: '1.1' }, /"ver" is of the class PROPERTIES/],
    [{ dim: 3 }, /PROPERTIES/],
    [JSON.parse('{"__proto__":1}'), /no attribute "__proto__"/],
    [{ constructor: 1 }, /no attribute "constructor"/],
    [{ gt: 5 }, /"gt" is not valid for an object instance, \/3\/0\. It belongs to a resource/, { level: 2, text: '/3/0' }],
    [{ st: 5 }, /not valid for an object,/, { level: 1 }],
    [{ edge: 1 }, /does not fit .* type is integer. It is for boolean/],
    [{ gt: 1 }, /type is string/, { type: 'string' }],
    [
      { epmin: 1 },
      /"epmin" came with LwM2M 1\.1, and the device registered with 1\.0\. It knows pmin, pmax, gt, lt, st\./,
      { version: '1.0' },
    ],
    [{ con: 1 }, /came with LwM2M 1\.2/, { version: '1.1' }],
    [{ hqmax: 1 }, /came with LwM2M 1\.2/, { version: '1.1' }],
    [{ gt: 1 }, /a composite, .*takes pmin, pmax, epmin, epmax, con/, { level: undefined }],
    [{ pmin: -1 }, /whole number from 0 to 4294967295, not -1/],
    [{ pmin: 1.5 }, /whole number/],
    [{ pmin: 4_294_967_296 }, /whole number/],
    [{ pmin: '1e3' }, /not "1e3"/],
    [{ pmin: [] }, /not an array/],
    [{ pmin: NaN }, /not NaN/],
    [{ st: -1 }, /not negative, not -1/],
    [{ gt: Infinity }, /not Infinity/],
    [{ gt: 'warm' }, /is a number, not "warm"/],
    [{ con: 2 }, /0 or 1, not 2/],
    [{ pmin: null }, /of an observation needs a value/, { removable: false }],
    [{ lt: 5, gt: 5 }, /"lt" \(5\) must be less than "gt" \(5\)/],
    [{ lt: 5, gt: 10, st: 2.5 }, /twice "st" \(2\.5\)/],
  ] as readonly (readonly [Record<string, unknown>, RegExp, Partial<AttributeTarget>?])[]) {
    it(`[RPC-054] refuses ${JSON.stringify(given)}: ${text.source.slice(0, 40)}`, () => {
      assert.throws(
        () => query(given, target),
        (error: unknown) => error instanceof AttributeError && text.test(error.message),
      );
    });
  }

  it('[RPC-054] warns of a maximum below its minimum', () => {
    assert.match(checkAttributes({ pmin: 60, pmax: 10 }, resource).warnings.join(), /"pmax" \(10\) is less than "pmin" \(60\)/);
    assert.match(checkAttributes({ epmin: 60, epmax: 10 }, resource).warnings.join(), /"epmax"/);
    assert.deepEqual(checkAttributes({ pmin: 60, pmax: 60 }, resource).warnings, []);
    assert.deepEqual(checkAttributes({ pmin: 60, pmax: null }, resource).warnings, []);
  });

  it('[RPC-054] knows those of LwM2M 1.0, 1.1 and 1.2', () => {
    assert.deepEqual(NOTIFICATION_ATTRIBUTES, ['pmin', 'pmax', 'gt', 'lt', 'st', 'epmin', 'epmax', 'edge', 'con', 'hqmax']);
  });
});
