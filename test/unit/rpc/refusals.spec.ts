/**
 * Commands that are malformed or impossible, and what each ends in. The device of the table is a live registration on a virtual
 * network: it must not receive a single datagram.
 */
import assert from 'node:assert/strict';
import type { Command } from '../../../lib/rpc/types';
import { runCommand } from '../../../lib/rpc/run';
import { closeAll, createWorld, ScriptedPeer } from '../server/fixture';

const LIST =
  '</>;rt="oma.lwm2m";ct="110 112",</1>;ver=1.2,</1/0>,</3>;ver=1.0,</3/0>,</4/0>,</5/0>,</6/0>,</19>;ver=1.1,</19/0>,</19/1>,</31024/10>';
const keys = { batteryLevel: '/3/0/9', reboot: '/3/0/4', wrong: '/3/x', other: '/99/0/1', version: '/3_2.0/0/9', data: '/19/0/0' };

const id = (path: unknown): Command['params'] => ({ id: path });
const path = (method: string, ...paths: string[]): (readonly [Command, RegExp])[] =>
  paths.map((text) => [{ method, params: id(text) }, new RegExp(`${method} cannot be done on`)]);

type Row = readonly [command: unknown, text: RegExp, code?: 'BAD_REQUEST' | 'METHOD_NOT_ALLOWED'];
const rows: readonly Row[] = [
  // The command as such.
  ['', /The command is empty.*Read \{"id":"\/3\/0\/9"\}/],
  ['   ', /empty/],
  [undefined, /text or an object, not nothing/],
  [null, /not null/],
  [42, /not 42/],
  [true, /not true/],
  [[], /not an array/],
  [['Read', '/3/0/9'], /not an array/],
  [Buffer.from('Read {"id":"/3/0/9"}'), /not a Buffer of 20 bytes/],
  [new Date(0), /not a Date/],
  [{}, /no method/],
  [{ method: '' }, /no method/],
  [{ method: 5 }, /not 5/],
  [{ method: null, params: {} }, /not null/],
  [{ params: { id: '/3/0/9' } }, /no method/],
  [{ method: ['Read'] }, /not an array/],
  ['{"method":"Read"', /not JSON/],
  ['{"params":{}}', /no method/],
  ['x'.repeat(1_048_577), /too long: 1048577 characters/],
  ['Frobnicate {"id":"/3/0/9"}', /no command "Frobnicate"\. The commands are Read, ReadComposite/, 'METHOD_NOT_ALLOWED'],
  ['Write {"id":"/3/0/14","value":"x"}', /no command "Write"/, 'METHOD_NOT_ALLOWED'],
  ['FirmwareUpdate', /no command "FirmwareUpdate"/, 'METHOD_NOT_ALLOWED'],
  ['Reads', /no command/, 'METHOD_NOT_ALLOWED'],
  ['Read{"id":"/3/0/9"}', /no command "Read\{/, 'METHOD_NOT_ALLOWED'],
  ['help', /no command "help"/, 'METHOD_NOT_ALLOWED'],
  [{ method: '__proto__', params: {} }, /no command "__proto__"/, 'METHOD_NOT_ALLOWED'],
  [{ method: 'constructor' }, /no command "constructor"/, 'METHOD_NOT_ALLOWED'],
  ['Read /3/0/9', /What follows Read is not JSON.*Right is: Read \{"id":"\/3\/0\/9"\}/],
  ['Read {id:"/3/0/9"}', /not JSON/],
  ["Read {'id':'/3/0/9'}", /not JSON/],
  ['Read {"id":"/3/0/9"', /not JSON/],
  ['Read {"id":"/3/0/9"} please', /not JSON/],
  ['Read "/3/0/9"', /must be a JSON object, not "\/3\/0\/9"/],
  ['Read ["/3/0/9"]', /not an array/],
  ['Read 3', /not 3/],
  ['Read null', /not null/],
  [{ method: 'Read', params: [] }, /must be an object, not an array/],
  [{ method: 'Read', params: 7 }, /must be an object, not 7/],
  [{ method: 'Read', params: 'id=/3' }, /not JSON/],
  [{ method: 'Read', params: new Map() }, /must be an object/],
  [{ method: 'Read', params: Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`p${at}`, 1])) }, /65 parameters, 64 are the most/],
  [{ method: 'Read', params: JSON.parse('{"__proto__":{"id":"/3"}}') as unknown }, /no parameter "__proto__"/],

  // Which path.
  ['Read', /needs an "id", the path, or a "key"/],
  ['Read {}', /needs an "id"/],
  ['Read {"ID":"/3/0/9"}', /needs an "id"/],
  ['Read {"id":null}', /needs an "id"/],
  ['Read {"id":""}', /needs an "id"/],
  ['Read {"id":3}', /must be text, not 3/],
  ['Read {"id":["/3/0/9"]}', /must be text, not an array/],
  ['Read {"id":{"path":"/3"}}', /must be text, not an object/],
  ['Read {"ids":["/3/0/9"]}', /"ids" and "keys" are for composites/],
  ['Read {"id":"abc"}', /"abc" where the object id belongs.*A path looks like/],
  ['Read {"id":"/3/x"}', /"x" where the object instance id belongs/],
  ['Read {"id":"/3/0/x"}', /"x" where the resource id belongs/],
  ['Read {"id":"/3/0/6/x"}', /"x" where the resource instance id belongs/],
  ['Read {"id":"/3/0/9/1/2"}', /5 ids, 4 are the most/],
  ['Read {"id":"//3"}', /no object id/],
  ['Read {"id":"/3//9"}', /no object instance id/],
  ['Read {"id":"/3/0/9//"}', /no resource instance id/],
  ['Read {"id":"/3/-1"}', /"-1"/],
  ['Read {"id":"/3/0.5"}', /"0\.5"/],
  ['Read {"id":"/03/0"}', /"03"/],
  ['Read {"id":"/3/ 0"}', /" 0"/],
  ['Read {"id":"/65535"}', /65535, the highest is 65534/],
  ['Read {"id":"/65536"}', /65536/],
  ['Read {"id":"/3/65535"}', /object instance id 65535/],
  ['Read {"id":"/3/0/999999"}', /resource id 999999/],
  ['Read {"id":"/3/0/9999999"}', /9999999/],
  ['Read {"id":"/3_/0/9"}', /object version/],
  ['Read {"id":"/3_1/0/9"}', /"1" where an object version like 1\.1 belongs/],
  ['Read {"id":"/3_1.1.1/0/9"}', /"1\.1\.1"/],
  ['Read {"id":"/3_x/0"}', /"x" where an object version/],
  ['Read {"id":"/3/0_1.0/9"}', /"0_1\.0"/],
  [{ method: 'Read', params: id(`/${'3'.repeat(60)}`) }, /too long: 61 characters/],
  ['Read {"id":"/"}', /Read cannot be done on the root/],
  ...path('ObserveCancel', '/'),
  ...path('Discover', '/', '/3/0/6/1'),
  ...path('WriteReplace', '/', '/3'),
  ...path('WriteUpdate', '/', '/3', '/19/0/0/0'),
  ...path('Execute', '/', '/3', '/3/0', '/3/0/4/0'),
  ...path('Create', '/', '/19/0/0', '/19/0/0/0'),
  ...path('Delete', '/', '/19', '/19/0/0'),
  ...path('Observe', '/'),
  ...path('WriteAttributes', '/'),

  // By key.
  ['Read {"key":"nothing"}', /no key "nothing"\. The key table has "batteryLevel", "reboot"/],
  ['Read {"key":"BatteryLevel"}', /no key "BatteryLevel"/],
  ['Read {"key":"constructor"}', /no key "constructor"/],
  ['Read {"key":5}', /must be text, not 5/],
  ['Read {"key":["batteryLevel"]}', /must be text, not an array/],
  ['Read {"key":"wrong"}', /The key "wrong" stands for "\/3\/x"\. .*"x"/],
  ['Read {"key":"other"}', /does not have object 99/],
  ['Read {"key":"version"}', /version 2\.0 of object 3 \(Device\), the device registered version 1\.0/],
  ['Delete {"key":"batteryLevel"}', /The key "batteryLevel" stands for.*Delete cannot be done on a resource/],
  ['ReadComposite {"keys":["batteryLevel","nothing"]}', /no key "nothing"/],
  ['ReadComposite {"keys":"nothing"}', /no key "nothing"/],
  ['WriteComposite {"nodes":{"nothing":1}}', /no key "nothing"/],

  // Objects and their versions.
  ['Read {"id":"/99"}', /"dev" does not have object 99\. It has 1 \(LwM2M Server\), 3 \(Device\)/],
  ['Read {"id":"/7/0/1"}', /does not have object 7 \(Connectivity Statistics\)/],
  ['Observe {"id":"/33/0/1"}', /does not have object 33/],
  ['WriteAttributes {"id":"/33","attributes":{"pmin":1}}', /does not have object 33/],
  ['Create {"id":"/33"}', /does not have object 33/],
  ['Delete {"id":"/33/0"}', /does not have object 33/],
  ['Execute {"id":"/33/0/1"}', /does not have object 33/],
  ['Read {"id":"/0"}', /Object 0 \(LWM2M Security\) is closed to an LwM2M server/],
  ['Read {"id":"/0/0/0"}', /closed to an LwM2M server/],
  ['WriteReplace {"id":"/0/0/0","value":"coap://x"}', /closed/],
  ['Read {"id":"/21/0"}', /Object 21 .*closed/],
  [
    'Read {"id":"/3_2.0/0/9"}',
    /version 2\.0 of object 3 \(Device\), the device registered version 1\.0\. Right is \/3_1\.0\/0\/9, or \/3\/0\/9/,
  ],
  ['Observe {"id":"/1_2.2/0"}', /version 2\.2 .* registered version 1\.2/],
  ['WriteReplace {"id":"/19_0.1/0/0","value":"00"}', /version 0\.1 .* registered version 1\.1/],
  ['ReadComposite {"ids":["/3/0/9","/1_3.0"]}', /version 3\.0 of object 1/],
  ['ReadComposite {"ids":["/3/0/9","/99"]}', /does not have object 99/],
  ['WriteComposite {"nodes":{"/3_9.0/0/14":"x"}}', /version 9\.0/],

  // Composites.
  ['ReadComposite', /needs "ids", a list of paths, or "keys"/],
  ['ReadComposite {"id":"/3/0/9"}', /needs "ids"/],
  ['ReadComposite {"ids":null}', /needs "ids"/],
  ['ReadComposite {"ids":[]}', /The "ids" of ReadComposite are empty/],
  ['ReadComposite {"keys":[]}', /The "keys" of ReadComposite are empty/],
  ['ReadComposite {"ids":{"0":"/3"}}', /must be a list, not an object/],
  ['ReadComposite {"ids":5}', /must be a list, not 5/],
  ['ReadComposite {"ids":["/3/0/9",5]}', /must be texts, and one is 5/],
  ['ReadComposite {"ids":["/3/0/9",null]}', /one is null/],
  ['ReadComposite {"ids":["/3/0/9","/x"]}', /"x"/],
  ['ReadComposite {"ids":["/"]}', /cannot be done on the root/],
  ['ReadComposite {"ids":["/3/0/9","/3/0/9"]}', /\/3\/0\/9 is there twice/],
  ['ReadComposite {"ids":["/5/0","/5/0/2"]}', /\/5\/0 and \/5\/0\/2 overlap: \/5\/0 holds the other/],
  ['ReadComposite {"ids":["/5/0/2","/1","/5"]}', /\/5 and \/5\/0\/2 overlap/],
  ['ReadComposite {"ids":["/3","/3_1.0"]}', /\/3 is there twice/],
  ['ReadComposite {"keys":["batteryLevel","batteryLevel"]}', /there twice/],
  [{ method: 'ReadComposite', params: { ids: Array.from({ length: 1001 }, (_, at) => `/3/0/${at}`) } }, /are 1001, 1000 are the most/],
  ['ReadComposite {"ids":["/3/0/9"],"format":"text"}', /a composite goes in SenML/],
  ['ReadComposite {"ids":["/3/0/9"],"format":"tlv"}', /a composite goes in SenML/],
  ['ObserveComposite {"ids":[]}', /are empty/],
  ['ObserveComposite {"ids":["/3","/3/0"]}', /overlap/],
  [
    'ObserveComposite {"ids":["/3/0/9"],"attributes":{"pmin":1}}',
    /"attributes" of ObserveComposite came with LwM2M 1\.2.*registered with 1\.1/,
  ],
  ['ObserveCompositeCancel', /needs "ids"/],
  ['ObserveCompositeCancel {"ids":["/19/1/0/0","/3/0/9"]}', /\[\/19\/1\/0\/0, \/3\/0\/9\] of "dev" is not observed as a composite/],
  ['ObserveCancel {"id":"/3/0/9"}', /\/3\/0\/9 of "dev" is not observed\. Nothing is observed there/],
  ['ObserveCancel', /needs an "id"/],
  ['WriteComposite', /needs "nodes", an object of values by path or key/],
  ['WriteComposite {"nodes":[]}', /has an array as "nodes"/],
  ['WriteComposite {"nodes":"/3/0/14"}', /has "\/3\/0\/14" as "nodes"/],
  ['WriteComposite {"nodes":{}}', /are empty/],
  ['WriteComposite {"nodes":{"/3":{"0":{"14":"x"}}}}', /cannot be done on an object, \/3/],
  ['WriteComposite {"nodes":{"/3/0/14":null}}', /null for \/3\/0\/14, where a value belongs/],
  ['WriteComposite {"nodes":{"/3/0/14":{"0":"x"}}}', /single resource and got an object/],
  ['WriteComposite {"nodes":{"/3/0/14":["x"]}}', /single resource and got an array/],
  ['WriteComposite {"nodes":{"/3/0/14":"x","3/0/14":"y"}}', /there twice/],
  ['WriteComposite {"nodes":{"/3/0":{"14":"x"},"/3/0/15":"y"}}', /overlap/],
  ['WriteComposite {"nodes":{"/3/0/14":"x","/1/0/2":"soon"}}', /\/1\/0\/2 .*whole number/i],

  // Values.
  ['WriteReplace {"id":"/3/0/14"}', /needs a "value"/],
  ['WriteReplace {"id":"/3/0/14","value":null}', /needs a "value"/],
  ['WriteReplace {"id":"/3/0/14","value":{"0":"x"}}', /UTC Offset.* single resource and got an object/],
  ['WriteReplace {"id":"/3/0/14","value":["x"]}', /got an array/],
  ['WriteReplace {"id":"/3/0/13","value":"soon"}', /Current Time.* got "soon": a time is/],
  ['WriteReplace {"id":"/3/0/13","value":true}', /got true/],
  ['WriteReplace {"id":"/1/0/2","value":"ten"}', /Default Minimum Period.*got "ten"/],
  ['WriteReplace {"id":"/1/0/2","value":1.5}', /got 1\.5/],
  ['WriteReplace {"id":"/1/0/2","value":1e300}', /got 1e\+300/],
  ['WriteReplace {"id":"/1/0/6","value":"yes"}', /got "yes"/],
  ['WriteReplace {"id":"/1/0/6","value":2}', /got 2/],
  ['WriteReplace {"id":"/19/0/0/0","value":"008"}', /\/19\/0\/0\/0 .*got "008"/],
  ['WriteReplace {"id":"/19/0/0/0","value":"xyz0"}', /got "xyz0"/],
  ['WriteReplace {"id":"/19/0/0/0","value":"base64:%%"}', /got "base64/],
  ['WriteReplace {"id":"/19/0/0/0","value":{"0":"00"}}', /takes one value and got an object/],
  ['WriteReplace {"id":"/19/0/0","value":{"x":"00"}}', /has the key "x"/],
  ['WriteReplace {"id":"/19/0/0","value":{"65535":"00"}}', /has the key "65535"/],
  ['WriteReplace {"id":"/19/0/0","value":{"0":"0"}}', /\/19\/0\/0\/0 .*got "0"/],
  ['WriteReplace {"id":"/19/0/0","value":{"0":null}}', /got null/],
  ['WriteReplace {"id":"/3/0","value":"x"}', /object instance takes an object keyed by resource id or name/],
  ['WriteReplace {"id":"/3/0","value":{}}', /without resources/],
  ['WriteReplace {"id":"/3/0","value":{"Colour":"x"}}', /has no resource of that name/],
  ['WriteReplace {"id":"/3/0","value":{"15":"x","Timezone":"y"}}', /resource 15 twice/],
  ['WriteReplace {"id":"/3/0/14","value":"x","format":"xml"}', /"format" is one of/],
  ['WriteReplace {"id":"/3/0","value":{"14":"x","15":"y"},"format":"text"}', /./],
  ['WriteReplace {"id":"/3/0/14","value":"x","format":"opaque"}', /./],
  ['WriteUpdate {"id":"/3/0"}', /needs a "value"/],
  ['WriteUpdate {"id":"/3/0","value":[]}', /object instance takes an object/],
  ['WriteUpdate {"id":"/3/0","value":"14=+5"}', /got "14=\+5"/],
  ['WriteUpdate {"id":"/3/0","value":{"14":{"0":"x"}}}', /\/3\/0\/14 .*single resource/],
  ['WriteUpdate {"id":"/3/0/15","value":"x"}', /Timezone.* is a single resource\. Right is: WriteReplace/],
  ['WriteUpdate {"id":"/19/0/0","value":{}}', /WriteUpdate would change nothing/],
  ['WriteUpdate {"id":"/31024/10/1","value":5}', /got 5, a single value/],

  // Attributes.
  ['WriteAttributes {"id":"/3/0/9"}', /needs "attributes"/],
  ['WriteAttributes {"id":"/3/0/9","attributes":null}', /needs "attributes"/],
  ['WriteAttributes {"id":"/3/0/9","attributes":{}}', /There are no attributes/],
  ['WriteAttributes {"id":"/3/0/9","attributes":"pmin=10"}', /must be an object of values by name, not "pmin=10"/],
  ['WriteAttributes {"id":"/3/0/9","attributes":["pmin"]}', /not an array/],
  ['WriteAttributes {"id":"/3/0/9","attributes":{"period":10}}', /no attribute "period"/],
  ['WriteAttributes {"id":"/3/0/9","attributes":{"PMIN":10}}', /no attribute "PMIN"/],
  ['WriteAttributes {"id":"/3/0/9","attributes":{"ver":"1.1"}}', /"ver" is of the class PROPERTIES/],
  ['WriteAttributes {"id":"/3/0/9","attributes":{"dim":1}}', /"dim" is of the class PROPERTIES/],
  ['WriteAttributes {"id":"/3/0","attributes":{"gt":5}}', /"gt" is not valid for an object instance, \/3\/0/],
  ['WriteAttributes {"id":"/3","attributes":{"st":5}}', /"st" is not valid for an object, \/3/],
  ['WriteAttributes {"id":"/3/0/14","attributes":{"lt":5}}', /"lt" does not fit \/3\/0\/14, whose type is string/],
  ['WriteAttributes {"id":"/3/0/9","attributes":{"pmin":-1}}', /whole number/],
  ['WriteAttributes {"id":"/3/0/9","attributes":{"pmin":"soon"}}', /not "soon"/],
  ['WriteAttributes {"id":"/3/0/9","attributes":{"lt":10,"gt":5}}', /"lt" \(10\) must be less than "gt" \(5\)/],
  ['WriteAttributes {"id":"/3/0/9","attributes":{"lt":1,"gt":5,"st":2}}', /twice "st" \(2\)/],
  ['WriteAttributes {"id":"/3/0/9","attributes":{"st":-1}}', /not negative/],
  ['WriteAttributes {"id":"/3/0/9","attributes":{"con":1}}', /"con" came with LwM2M 1\.2, and the device registered with 1\.1/],
  ['WriteAttributes {"id":"/3/0/9","attributes":{"hqmax":1}}', /came with LwM2M 1\.2/],
  ['WriteAttributes {"id":"/1/0/6","attributes":{"edge":1}}', /came with LwM2M 1\.2/],
  ['Observe {"id":"/3/0/9","attributes":{"pmin":1}}', /"attributes" of Observe came with LwM2M 1\.2.*WriteAttributes \{"id":"\/3\/0\/9"/],

  // Execute, Create, Delete, Discover.
  ['Execute {"id":"/5/0/3"}', /\/5\/0\/3 \(State\) is not executable\. Executable are \/5\/0\/2 \(Update\)/],
  ['Execute {"key":"batteryLevel"}', /\/3\/0\/9 \(Battery Level\) is not executable/],
  ['Execute {"id":"/6/0/0"}', /has nothing that is/],
  ['Execute {"id":"/3/0/4","value":"\'60\'"}', /Character 0 is "'", an argument number 0 to 9 belongs there/],
  ['Execute {"id":"/3/0/4","value":[1]}', /not an array/],
  ['Execute {"id":"/3/0/4","value":true}', /not boolean/],
  ['Execute {"id":"/3/0/4","value":{"x":1}}', /"x" is no argument number/],
  ['Execute {"id":"/3/0/4","value":{"0":{}}}', /argument 0 must be text, a number or true\/false/],
  ['Execute {"id":"/3/0/4","value":"0=on"}', /must stand in single quotes/],
  ['Execute {"id":"/3/0/4","value":"0,0"}', /there twice/],
  ['Execute {"id":"/3/0/4","value":"10"}', /a comma or the end belongs after argument 1/],
  ['Execute {"id":"/3/0/4","value":"0=\'a b\'"}', /character that is not allowed/],
  ['Create {"id":"/3","value":{"14":"x"}}', /Object 3 \(Device\) has a single instance/],
  ['Create {"id":"/5/1"}', /single instance/],
  ['Create {"id":"/19"}', /needs a value for 0 \(Data\), which is mandatory/],
  ['Create {"id":"/19","value":{"1":5}}', /needs a value for 0 \(Data\)/],
  ['Create {"id":"/19","value":"00"}', /object instance takes an object/],
  ['Create {"id":"/19","value":{"0":"zz"}}', /got "zz"/],
  ['Create {"id":"/19/2","value":[]}', /object instance takes an object/],
  ['Delete {"id":"/3/0"}', /The instance of object 3 \(Device\) cannot be deleted/],
  ['Delete {"id":"/19/0/0/1"}', /Delete of a resource instance.*came with LwM2M 1\.2.*WriteReplace of \/19\/0\/0/],
  ['Discover {"id":"/3","depth":1}', /"depth" came with LwM2M 1\.2, and the device registered with 1\.1/],
  ['Discover {"id":"/3","depth":4}', /0 to 3, not 4/],
  ['Discover {"id":"/3","depth":-1}', /0 to 3, not -1/],
  ['Discover {"id":"/3","depth":"all"}', /0 to 3, not "all"/],
  ['Discover {"id":"/3","depth":1.5}', /0 to 3, not 1\.5/],

  // Time and format.
  ['Read {"id":"/3/0/9","timeout":0}', /milliseconds, a whole number from 1 to 86400000, not 0/],
  ['Read {"id":"/3/0/9","timeout":-5}', /not -5/],
  ['Read {"id":"/3/0/9","timeout":"5s"}', /not "5s"/],
  ['Read {"id":"/3/0/9","timeout":86400001}', /not 86400001/],
  ['DiscoverAll {"timeout":0}', /milliseconds/],
  ['ObserveReadAll {"timeout":"x"}', /milliseconds/],
  ['Read {"id":"/3/0/9","format":"xml"}', /"format" is one of "text" \(0\)/],
  ['Read {"id":"/3/0/9","format":1}', /not 1/],
  ['Read {"id":"/3/0/9","format":{}}', /not an object/],
];

describe('malformed and impossible commands', () => {
  afterEach(closeAll);

  it('[RPC-059] are two hundred and more in this table', () => assert.ok(rows.length >= 200, String(rows.length)));

  for (const [at, [command, text, code = 'BAD_REQUEST']] of rows.entries()) {
    const shown = (typeof command === 'string' ? command : JSON.stringify([command])).slice(0, 90);
    it(`[RPC-059] ${at + 1}: ${shown}`, async () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      peer.register({ payload: LIST });
      const { payload, failure, meta } = await runCommand(ground.server, 'dev', command, { keys });
      assert.equal(payload.result, code);
      assert.equal(failure, code);
      assert.equal(meta['failure'], code);
      assert.match(payload.error!, text);
      assert.doesNotMatch(payload.error!, /Exception|TypeError|\bat \w+ \(|undefined/);
      assert.ok(payload.error!.length < 700, payload.error);
      peer.tick();
      peer.quiet();
    });
  }

  for (const [version, list, command, text] of [
    ['1.0', '</3/0>', 'ReadComposite {"ids":["/3/0/9"]}', /it registered with LwM2M 1\.0, which has none\. The setting "one by one"/],
    [
      '1.1',
      '</>;ct="11542 0",</3/0>',
      'ReadComposite {"ids":["/3/0/9"]}',
      /announced the content formats 11542, 0, and a composite needs SenML/,
    ],
    ['1.0', '</3/0>', 'WriteComposite {"nodes":{"/3/0/14":"x"}}', /such as WriteComposite: it registered/],
    ['1.0', '</3/0>', 'ObserveComposite {"ids":["/3/0/9"]}', /ObserveComposite/],
  ] as const) {
    it(`[RPC-051] ${command} of a device of LwM2M ${version} with ${list}`, async () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      peer.register({ payload: list, version });
      const { failure, payload } = await runCommand(ground.server, 'dev', command);
      assert.equal(failure, 'BAD_REQUEST');
      assert.match(payload.error!, text);
      peer.quiet();
    });
  }
});
