import { Reader, written } from '../bytes';
import { ExtensionType } from '../constants';
import { DecodeError } from '../errors';
import type { Extensions } from './extensions';

const HOST_NAME = 0;
/** That of a name in DNS is 253. */
const MAX_NAME = 255;

/**
 * What the client calls us (RFC 6066 3), in small letters; undefined when it does not say, or says what can be nobody's name: that is no
 * reason to turn it away. Throws `DecodeError` where the extension cannot be read.
 */
export function readServerName(extensions: Extensions): string | undefined {
  const data = extensions.get(ExtensionType.SERVER_NAME);
  // Empty it says nothing, though it should not be there then.
  if (!data || data.length === 0) return undefined;
  const reader = new Reader(data);
  const list = new Reader(reader.vector(2, 1));
  reader.end();
  let name: Buffer | undefined;
  while (list.left > 0) {
    const type = list.uint(1);
    const value = list.vector(2, 1);
    if (type !== HOST_NAME) continue;
    if (name) throw new DecodeError('two host names');
    name = value;
  }
  return name && textOf(name);
}

/** Letters of other alphabets come as A-labels (RFC 5890), so that there is nothing but these. */
function textOf(name: Buffer): string | undefined {
  const text = name.toString('latin1').toLowerCase();
  return text.length <= MAX_NAME && /^[a-z0-9_.-]+$/.test(text) ? text : undefined;
}

/** The form that `readServerName` reads. */
export function writeServerName(name: string): Buffer {
  return written((writer) => {
    const list = writer.open();
    writer.uint(HOST_NAME, 1).vector(Buffer.from(name, 'latin1'), 2).close(list);
  });
}
