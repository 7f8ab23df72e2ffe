/** One `describe` a peer: Node-RED and the peer run from before its first test to after its last. */
import type { Peer, PeerName } from './peers';
import { reasonMissing } from './peers';
import type { FlowEvent, World } from './world';
import { startWorld } from './world';

const skipped = new Map<string, string>();

/** Skips what `test` belongs to when there is a reason to, and has a line at the end say so. */
export function skipWithout(test: Mocha.Context, name: string, reason: string | undefined): void {
  if (reason === undefined) return;
  skipped.set(name, reason);
  test.skip();
}

/** What the tests of one peer share. */
export interface Stage {
  readonly world: World;
  readonly peer: Peer;
  readonly endpoint: string;
  /** The first `registered` event of the peer. */
  readonly registered: FlowEvent;
}

/**
 * Describes the tests with one peer, which is started by `start` and registered before the first test. Without the peer they are skipped,
 * and a line at the end says why.
 */
export function withPeer(
  title: string,
  name: PeerName,
  start: (options: { port: number; endpoint: string }) => Promise<Peer>,
  tests: (stage: () => Stage) => void,
): void {
  describe(title, function () {
    const endpoint = `interop-${title.replace(/[^a-z0-9]+/gi, '-').toLowerCase()}`;
    let world: World | undefined;
    let peer: Peer | undefined;
    let registered: FlowEvent | undefined;

    before(async function () {
      skipWithout(this, name, reasonMissing(name));
      world = await startWorld();
      peer = await start({ port: world.port, endpoint });
      await peer.waitFor('registered');
      registered = await world.waitFor('registered', endpoint);
    });

    after(async () => {
      await peer?.stop();
      await world?.stop();
    });

    afterEach(function () {
      if (this.currentTest?.state !== 'failed') return;
      console.error(`--- ${name} ---\n${peer?.log().slice(-3000)}\n--- Node-RED ---\n${world?.nodeRed.log().slice(-3000)}`);
    });

    tests(() => {
      if (!world || !peer || !registered) throw new Error(`${title} is not running`);
      return { world, peer, endpoint, registered };
    });
  });
}

after('says which peers were missing', () => {
  for (const [name, reason] of skipped) console.error(`\nSKIPPED interop peer ${name}: ${reason}`);
});
