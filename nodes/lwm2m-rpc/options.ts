import type { KeyTable, RpcOptions } from '../../lib/index';
import { textField } from '../shared/fields';
import type { KeyRow, RpcSettings } from './migrations';

type OptionSettings = Pick<RpcSettings, 'instanceKeys' | 'answers' | 'oneByOne' | 'keys' | 'strict'>;

/** What the dialog says about how commands are understood and answered. A field that cannot be meant counts as its default. */
export function runOptions(settings: OptionSettings): RpcOptions {
  const { instanceKeys, answers, oneByOne, keys, strict } = settings;
  return {
    instanceKeys: instanceKeys === 'name' ? 'name' : 'id',
    answers: answers === 'iot-hub' ? 'iot-hub' : 'values',
    oneByOne: (oneByOne as unknown) === true,
    strict: (strict as unknown) === true,
    keys: keyTable(keys),
  };
}

/** Rows without a key are skipped; of two with the same key the first counts. */
function keyTable(rows: unknown): KeyTable {
  const entries: [string, string][] = [];
  for (const row of Array.isArray(rows) ? (rows as readonly (Partial<KeyRow> | null)[]) : []) {
    const key = textField(row?.key);
    if (key !== '' && !entries.some(([known]) => known === key)) entries.push([key, textField(row?.path)]);
  }
  return Object.fromEntries(entries);
}
