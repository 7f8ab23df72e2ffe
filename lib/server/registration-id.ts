import { systemRandom } from '../transport/random';

/** Of 64 random values two name no letter and are passed over. */
const ID_LETTERS = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789');
const ID_LENGTH = 10;
const ID_RANDOM = 14;
const newIdText = Buffer.alloc(ID_LENGTH);

/**
 * A new registration id that is not `taken`. Unguessable, because without security it is the right to change the address; short, because
 * some clients have small buffers.
 */
export function newRegistrationId(taken: (id: string) => boolean): string {
  for (;;) {
    const random = systemRandom.bytes(ID_RANDOM);
    let length = 0;
    for (let i = 0; i < ID_RANDOM && length < ID_LENGTH; i++) {
      const letter = random[i]! & 63;
      if (letter < ID_LETTERS.length) newIdText[length++] = ID_LETTERS[letter]!;
    }
    const id = newIdText.toString('latin1');
    if (length === ID_LENGTH && !taken(id)) return id;
  }
}
