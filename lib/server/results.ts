import { Code, codeText } from '../coap/codes';

/** The result names of the commands, one per CoAP response code (Transport TS 6.7). */
const NAMES = new Map<number, string>(
  Object.entries(Code)
    .filter(([, code]) => code >= 0x40)
    .map(([name, code]) => [code, name]),
);

/** "CONTENT" for 2.05; a code nobody named is shown as it is, e.g. "4.30". */
export function resultName(code: number): string {
  return NAMES.get(code) ?? codeText(code);
}

/** Every name `resultName` knows. */
export const RESULT_NAMES: readonly string[] = [...NAMES.values()];
