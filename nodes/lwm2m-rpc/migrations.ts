import type { AnswerForm, InstanceKeys } from '../../lib/index';
import { applySteps, withDefaults } from '../shared/migrate';
import type { Settings, Step } from '../shared/migrate';

/** One row of the key table. */
export interface KeyRow {
  readonly key: string;
  readonly path: string;
}

/** The settings of version 2. A blank field is taken from the message. */
export interface RpcSettings {
  readonly version: number;
  readonly server: string;
  readonly endpoint: string;
  /** A method name, or '' = the message says. */
  readonly operation: string;
  /** A path or a key; of a composite several, which commas separate. */
  readonly path: string;
  /** What a Write writes: a typed input. */
  readonly value: string;
  readonly valueType: string;
  /** The arguments of an Execute. */
  readonly args: string;
  /** Milliseconds. */
  readonly timeout: number | string;
  readonly instanceKeys: InstanceKeys;
  /** Refuse to write values outside the definition's range. Missing in flows of before there was such a setting. */
  readonly strict?: boolean;
  /** 'output': failures leave on the output and go to Catch nodes; 'catch': to Catch nodes only. */
  readonly failures: 'output' | 'catch';
  /** Since version 2. */
  readonly keys: readonly KeyRow[];
  readonly answers: AnswerForm;
  /** Composites path by path. */
  readonly oneByOne: boolean;
}

const steps: Step[] = [
  (settings: Settings) =>
    withDefaults(settings, {
      server: '',
      endpoint: '',
      operation: '',
      path: '',
      value: 'payload',
      valueType: 'msg',
      args: '',
      timeout: '',
      instanceKeys: 'id',
      strict: false,
      failures: 'output',
    }),
  (settings: Settings) => withDefaults(settings, { keys: [], answers: 'values', oneByOne: false }),
];

/** The settings in their present version, whatever version was saved. */
export function migrate(settings: object): RpcSettings {
  return applySteps(settings as Settings, steps) as unknown as RpcSettings;
}
