/** A device that answers whatever a server asks, and what it was asked, as lines. */
import * as coap from '../../support/coap-message';
import type { ScriptedPeer } from '../server/fixture';

const SENML_JSON = 110;
const METHODS: Readonly<Record<string, string>> = {
  '0.01': 'GET',
  '0.02': 'POST',
  '0.03': 'PUT',
  '0.04': 'DELETE',
  '0.05': 'FETCH',
  '0.06': 'PATCH',
  '0.07': 'iPATCH',
};

export type Reply =
  { readonly code: string; readonly payload?: string; readonly observe?: number; readonly contentFormat?: number } | 'nothing';

/** The engine begins in a later turn of the loop, and goes on when a promise is kept. */
export async function turn(): Promise<void> {
  for (let round = 0; round < 4; round++) await new Promise<void>((resolve) => void setImmediate(resolve));
}

/** A request as one line: method, path, query, Observe, then its payload, of a composite the paths. */
export function line(request: coap.CoapMessage): string {
  const path = `/${coap.texts(request, coap.OptionNumber.UriPath).join('/')}`;
  const query = coap.texts(request, coap.OptionNumber.UriQuery).join('&');
  const observe = request.options.find(({ number }) => number === coap.OptionNumber.Observe);
  const text = request.payload.toString();
  const listed = text.startsWith('[') ? (JSON.parse(text) as { n: string }[]).map(({ n }) => n).join(' ') : text;
  return [
    METHODS[coap.codeText(request.code)],
    `${path}${query === '' ? '' : `?${query}`}`,
    ...(observe ? [`observe=${observe.value[0] ?? 0}`] : []),
    ...(listed === '' ? [] : [listed]),
  ].join(' ');
}

const pack = (values: readonly (readonly [string, number | string])[]): string =>
  JSON.stringify(values.map(([n, value]) => (typeof value === 'number' ? { n, v: value } : { n, vs: value })));

const VALUES: Readonly<Record<string, number | string>> = {
  '/3/0/0': 'Acme',
  '/3/0/9': 80,
  '/3/0/15': 'Europe/Vienna',
  '/4/0/2': -70,
  '/3303/0/5700': 21.5,
  '/3303/1/5700': 4,
};

/** What a device says that can do all it is asked for. */
export function able(request: coap.CoapMessage): Reply {
  const [method = '', target = '', ...rest] = line(request).split(' ');
  if (method === 'PUT' || method === 'POST') return { code: '2.04' };
  const paths = method === 'FETCH' ? rest.filter((word) => word.startsWith('/')) : [target];
  const payload = pack(paths.map((path) => [path, VALUES[path] ?? 1] as const));
  return { code: '2.05', contentFormat: SENML_JSON, payload, ...(rest.includes('observe=0') && { observe: 1 }) };
}

/** Lets the device answer until the server asks no more; gives back what it was asked. */
export async function serve(peer: ScriptedPeer, reply: (request: coap.CoapMessage) => Reply = able): Promise<string[]> {
  const lines: string[] = [];
  for (;;) {
    await turn();
    peer.tick();
    if (peer.inbox.length === 0) return lines;
    const request = peer.takeRequest();
    lines.push(line(request));
    const answer = reply(request);
    if (answer !== 'nothing') peer.answer(request, answer.code, answer);
  }
}
