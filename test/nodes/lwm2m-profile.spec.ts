import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import express from 'express';
import type { NodeAPI } from 'node-red';
import request from 'supertest';
import type { ProfileSettings } from '../../lib/index';
import { registerAdminRoutes } from '../../nodes/lwm2m-profile/admin';
import profileNode from '../../nodes/lwm2m-profile/lwm2m-profile';
import { definitionOf, definitionProblem, rowsOf } from '../../nodes/lwm2m-profile/rows.editor';
import type { Definition } from '../../nodes/lwm2m-profile/rows.editor';
import { conflictsOf } from '../../nodes/lwm2m-server/profile-order';
import serverNode from '../../nodes/lwm2m-server/lwm2m-server';
import type { ServerNode } from '../../nodes/shared/types';
import { FakeServer, fakeServerNode, registration } from '../support/fake-server';
import { Badges, getNode, load, redeploy, useFlows } from '../support/flows';
import type { FlowNode } from '../support/flows';

const definition = { resources: [{ path: '/3/0/9', telemetry: true, observe: true }], transportLog: true };
const broken = { resources: [{ path: '/3/0' }] };

function profile(id: string, settings: object = {}): FlowNode {
  return { id, type: 'lwm2m-profile', name: `of ${id}`, server: 'server', endpoints: 'meter-*', definition, ...settings };
}

describe('lwm2m-profile', () => {
  useFlows();

  it('hands its profile to its server, and takes it back', async () => {
    const server = new FakeServer();
    await load([fakeServerNode(server), profileNode], [{ id: 'server', type: 'lwm2m-server' }, profile('meters', { isDefault: true })]);
    const { profile: given } = server.given.get('meters')!;
    assert.deepEqual(given, { id: 'meters', name: 'of meters', endpoints: 'meter-*', isDefault: true, definition });
    await redeploy([{ id: 'server', type: 'lwm2m-server' }]);
    assert.equal(server.given.size, 0);
  });

  it('shows that its profile cannot be used, and why, until it can', async () => {
    const server = new FakeServer();
    await load([fakeServerNode(server), profileNode], [{ id: 'server', type: 'lwm2m-server' }, profile('meters')]);
    const badges = new Badges('meters');
    const node = getNode('meters');
    const errors: unknown[] = [];
    node.error = (text) => void errors.push(text);
    const { onProblem } = server.given.get('meters')!;
    onProblem('The profile is wrong.');
    await badges.seen(/^lwm2m-profile\.status\.problem$/);
    onProblem(undefined);
    assert.equal(badges.texts.at(-1), '');
    assert.deepEqual(errors, ['The profile is wrong.']);
  });

  it('without a server it is of no use', async () => {
    await assert.doesNotReject(load([profileNode], [profile('meters', { server: '' })]));
  });

  describe('and its server', () => {
    const nodes = [serverNode, profileNode];
    const server = { id: 'server', type: 'lwm2m-server', name: 'Mine', port: 0, unknownDevices: 'accept-without-security' };
    /** The lists the running server is given from now on. */
    const given = (): ProfileSettings[][] => {
      const { server: running } = getNode<ServerNode>('server').live!;
      const lists: ProfileSettings[][] = [];
      const original = running.setProfiles.bind(running);
      running.setProfiles = (list) => {
        lists.push([...list]);
        return original(list);
      };
      return lists;
    };
    const ids = (list: ProfileSettings[] = []): string[] => list.map(({ id }) => id).sort();

    it('a Deploy gives it all profiles at once, when all are there', async () => {
      await load(nodes, [server, profile('a'), profile('b')]);
      const lists = given();
      await redeploy([server, profile('a'), profile('b', { endpoints: 'pump-*' }), profile('c')], 'nodes');
      assert.deepEqual(lists.map(ids), [['a', 'b', 'c']]);
      await redeploy([server, profile('a')], 'nodes');
      assert.deepEqual(lists.map(ids), [['a', 'b', 'c'], ['a']]);
      await redeploy([server], 'nodes');
      assert.deepEqual(lists.map(ids), [['a', 'b', 'c'], ['a'], []]);
    });

    it('also one whose own settings changed', async () => {
      await load(nodes, [server, profile('a')]);
      const lists = given();
      await redeploy([{ ...server, timeout: 5000 }, profile('a')], 'nodes');
      // It is the same server: it was adopted.
      assert.deepEqual(lists.map(ids), [['a']]);
    });

    it('gives it them by name, whichever was deployed last, and warns of those that are in the way of each other, once', async () => {
      const [a, b, c] = [
        profile('a', { name: 'Two', isDefault: true }),
        profile('b', { name: 'One', isDefault: true, endpoints: 'x, meter-*' }),
        profile('c', { name: 'Two', endpoints: 'y' }),
      ];
      await load(nodes, [server, a, b]);
      const lists = given();
      const warnings: unknown[] = [];
      getNode('server').warn = (text) => void warnings.push(text);
      await redeploy([server, a, b, c], 'nodes');
      await redeploy([server, a, { ...b, endpoints: 'meter-*' }, c], 'nodes');
      await redeploy([server, { ...a, endpoints: '' }, { ...b, endpoints: 'meter-*' }, c], 'nodes');
      const order = lists.map((list) => list.map(({ id }) => id).join(''));
      assert.deepEqual(order, ['bac', 'bac', 'bac']);
      // The two of the first deploy were told before.
      assert.deepEqual(warnings, ['lwm2m-server.profileConflict.sameName']);
      assert.deepEqual(conflictsOf(lists[0]!), [
        { text: 'severalDefaults', names: 'One, Two', what: '' },
        { text: 'sameDevices', names: 'One, Two', what: 'meter-*' },
        { text: 'sameName', names: 'Two, Two', what: 'Two' },
      ]);
    });

    it('tells the node of a profile that cannot be used', async () => {
      await load(nodes, [server, profile('good')]);
      const problems: [string, string][] = [];
      await redeploy([server, profile('good'), profile('bad', { definition: broken })], 'nodes');
      for (const id of ['good', 'bad']) {
        const node = getNode(id);
        node.error = (text) => void problems.push([id, String(text)]);
      }
      // The same again, now that somebody listens.
      await redeploy([server, profile('good'), profile('bad', { definition: broken }), profile('other')], 'nodes');
      assert.deepEqual(
        problems.map(([id]) => id),
        ['bad'],
      );
      assert.match(problems[0]![1], /cannot be used.*resources\[0\].*\/3\/0 is no resource/);
    });
  });
});

describe('the admin routes of profiles', () => {
  let http: Server;
  let denied = '';
  let asked: string[] = [];
  const fake = new FakeServer();
  const post = async (path: string, body: object, id = 'server'): Promise<{ status: number; body: any }> => {
    const { status, body: answer } = await request(http).post(`/lwm2m/${id}/profile/${path}`).send(body);
    return { status, body: answer as unknown };
  };
  const settings = { name: 'Mine', definition };

  beforeEach((done) => {
    denied = '';
    asked = [];
    const httpAdmin = express();
    httpAdmin.use(express.json({ limit: '5mb' }));
    const RED = {
      httpAdmin,
      nodes: { getNode: (id: string) => (id === 'server' ? { type: 'lwm2m-server', live: { server: fake } } : null) },
      auth: {
        needsPermission: (permission: string) => (_request: unknown, response: { sendStatus(code: number): void }, next: () => void) => {
          asked.push(permission);
          if (permission === denied) response.sendStatus(401);
          else next();
        },
      },
    };
    fake.devices = [registration('meter-1')];
    registerAdminRoutes(RED as unknown as NodeAPI);
    http = httpAdmin.listen(0, '127.0.0.1', done);
  });
  afterEach((done) => void http.close(done));

  it('name resources and their keys, with or without a server', async () => {
    const paths = ['/3/0/9', '3303/1/5700', '/3303/*/5700', '/3/0', '/99999/0/1', null, '/3/0/9/0', 'x', '/3/0/4'];
    for (const id of ['server', '_']) {
      const { body } = await post('names', { paths }, id);
      assert.deepEqual(body, [
        { key: 'batteryLevel', name: 'Device: Battery Level (/100)' },
        { key: 'sensorValue1', name: 'Temperature: Sensor Value' },
        { key: 'sensorValue', name: 'Temperature: Sensor Value' },
        { name: 'Device' },
        {},
        {},
        { name: 'Device' },
        {},
        { key: 'reboot', name: 'Device: Reboot', unreadable: true },
      ]);
    }
    assert.deepEqual(new Set(asked), new Set(['lwm2m.read']));
  });

  it('import and export', async () => {
    const hub = {
      observeAttr: { observe: ['/3/0/9'], telemetry: ['/3/0/9'], attribute: [], keyName: { '/3/0/9': 'level' } },
      type: 'LWM2M',
    };
    const { body: imported } = await post('import', { text: JSON.stringify(hub) }, '_');
    assert.deepEqual(imported.definition.resources, [{ path: '/3/0/9', key: 'level', observe: true, telemetry: true }]);
    assert.ok(Array.isArray(imported.remarks));
    const { body: exported } = await post('export', { settings: { definition: imported.definition }, kept: imported.kept }, '_');
    assert.deepEqual(exported, { json: hub, remarks: [] });
  });

  it('say in words what is wrong', async () => {
    const table: [string, object, RegExp][] = [
      ['import', { text: '{' }, /no JSON/],
      ['import', {}, /no JSON/],
      ['import', { text: '{"a":1}' }, /observeAttr/],
      ['export', {}, /no list of resources/],
      ['export', { settings: { definition: broken } }, /\/3\/0 is no resource/],
      ['preview', { endpoint: 'meter-1' }, /no list of resources/],
    ];
    for (const [path, body, text] of table) {
      const answer = await post(path, body);
      assert.equal(answer.status, 200);
      assert.match((answer.body as { error: string }).error, text, path);
    }
    const { body } = await post('import', { text: '{"type":"LWM2M"}' });
    assert.deepEqual(
      body.remarks.map(({ id }: { id: string }) => id),
      ['notHub', 'hubNoObserveAttr'],
      'for a translation',
    );
  });

  it('ask the running server for a preview and for what a device has', async () => {
    assert.deepEqual((await post('preview', { endpoint: 'meter-1', settings })).body, { requests: ['Observe /3/0/9'], remarks: [] });
    assert.deepEqual((await post('learn', { endpoint: 'meter-1' })).body, {
      definition: { resources: [{ path: '/3/0/9', key: 'batteryLevel', telemetry: true, observe: true }] },
      remarks: [],
    });
    assert.deepEqual((await post('preview', { endpoint: 'meter-1', settings }, 'other')).body, { deployed: false });
    assert.deepEqual((await post('learn', { endpoint: 'meter-1' }, 'other')).body, { deployed: false });
  });

  it('ask devices only for who may command them', async () => {
    denied = 'lwm2m.write';
    assert.equal((await post('learn', { endpoint: 'meter-1' })).status, 401);
    assert.equal((await post('preview', { endpoint: 'meter-1', settings })).status, 200);
    denied = 'lwm2m.read';
    assert.equal((await post('preview', { endpoint: 'meter-1', settings })).status, 401);
  });
});

describe('the rows of the dialog of a profile', () => {
  const t = (key: string, data?: object): string => `${key} ${JSON.stringify(data ?? {})}`;

  it('are the profile, there and back', () => {
    const given: Definition = {
      resources: [
        { path: '/3/0/9', key: 'battery', telemetry: true, observe: true, factor: 0.1, offset: -3, unit: 'V' },
        { path: '/3303/*/5700', attribute: true },
      ],
      attributes: { '/3/0/9': { pmin: 10, con: 1 }, '/3303': { pmax: 60 }, '/3303/*': { epmin: 1 } },
    };
    const { resources, others } = rowsOf(given);
    assert.deepEqual(
      others.map(({ path }) => path),
      ['/3303', '/3303/*'],
    );
    assert.deepEqual(resources[0]?.values, { pmin: 10, con: 1 });
    assert.deepEqual(definitionOf(resources, others), given);
  });

  it('have one spelling of a path, and none without one', () => {
    const { resources, others } = rowsOf({ resources: [{ path: '3/0/9/' }], attributes: { '3/0/9': { pmin: 1 } } });
    assert.deepEqual(others, []);
    assert.deepEqual(definitionOf([...resources, { path: ' ' }], [{ path: '', values: { pmin: 1 } }]), {
      resources: [{ path: '/3/0/9' }],
      attributes: { '/3/0/9': { pmin: 1 } },
    });
  });

  const one = (entry: object, attributes: object = {}): unknown => ({ resources: [{ path: '/3/0/9', ...entry }], attributes });
  const table: [string, unknown, string][] = [
    ['nothing', undefined, 'invalid.definition'],
    ['no list', { resources: 'x' }, 'invalid.definition'],
    ['an instance', one({ path: '/3/0' }), 'invalid.resourcePath'],
    ['a resource instance', one({ path: '/3/0/9/0' }), 'invalid.resourcePath'],
    ['a word', one({ path: 'battery' }), 'invalid.resourcePath'],
    ['a long key', one({ key: 'x'.repeat(101) }), 'invalid.key'],
    ['factor 0', one({ factor: 0 }), 'invalid.factor'],
    ['a word as factor', one({ factor: 'x' }), 'invalid.factor'],
    ['a word as offset', one({ offset: 'x' }), 'invalid.offset'],
    ['an unknown attribute', one({}, { '/3/0/9': { foo: 1 } }), 'invalid.attribute'],
    ['pmin of half a second', one({}, { '/3/0/9': { pmin: 0.5 } }), 'invalid.whole'],
    ['a word as gt', one({}, { '/3/0/9': { gt: 'x' } }), 'invalid.number'],
    ['a negative step', one({}, { '/3/0/9': { st: -1 } }), 'invalid.step'],
    ['lt above gt', one({}, { '/3/0/9': { lt: 30, gt: 20 } }), 'invalid.thresholds'],
    ['a step as wide as the range', one({}, { '/3/0/9': { lt: 10, gt: 20, st: 5 } }), 'invalid.thresholds'],
    ['attributes of no path', one({}, { x: { pmin: 1 } }), 'invalid.path'],
    ['a resource twice', { resources: [{ path: '/3/0/9' }, { path: '3/0/9' }] }, 'invalid.pathTwice'],
    ['a key twice', { resources: [{ path: '/3/0/9', key: 'a' }, { path: '/3/0/1', key: 'a' }] }, 'invalid.keyTwice'], // prettier-ignore
  ];
  for (const [name, given, key] of table) {
    it(`refuse ${name}`, () => assert.ok(definitionProblem(given, t).startsWith(`${key} `), definitionProblem(given, t)));
  }

  it('take what is right', () => {
    assert.equal(
      definitionProblem(
        {
          resources: [
            { path: '/3_1.2/0/9', key: 'a' },
            { path: '/3_1.1/0/9', key: 'a' },
          ],
        },
        t,
      ),
      '',
    );
    assert.equal(definitionProblem(one({ factor: '0.5' }, { '/3/0/9': { lt: 10, gt: 20, st: 4.5, edge: 0 }, '/3': { pmin: '5' } }), t), '');
  });
});
