/** Definition files for tests, in a folder of their own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A definition of one object with one resource, /<id>/x/0. */
export function ddf(id: number, name: string, options: { version?: string; type?: string; resource?: string } = {}): string {
  const { version = '1.0', type = 'Integer', resource = 'Level' } = options;
  return `<?xml version="1.0" encoding="utf-8"?>
<LWM2M>
  <Object ObjectType="MODefinition">
    <Name>${name}</Name>
    <ObjectID>${id}</ObjectID>
    <ObjectVersion>${version}</ObjectVersion>
    <MultipleInstances>Multiple</MultipleInstances>
    <Mandatory>Optional</Mandatory>
    <Resources>
      <Item ID="0"><Name>${resource}</Name><Operations>RW</Operations><MultipleInstances>Single</MultipleInstances>
        <Mandatory>Optional</Mandatory><Type>${type}</Type><RangeEnumeration>0..100</RangeEnumeration><Units>%</Units></Item>
    </Resources>
  </Object>
</LWM2M>
`;
}

/** A fresh folder for each test; `dispose` deletes it. */
export function temporaryFolder(): { readonly dir: string; dispose(): void } {
  const dir = mkdtempSync(path.join(tmpdir(), 'lwm2m-models-'));
  return { dir, dispose: () => rmSync(dir, { recursive: true, force: true }) };
}
