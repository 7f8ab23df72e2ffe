import { parsePath } from '../lwm2m/path';
import type { Attributes, Operation } from '../server/types';
import type { Applied } from './applied';
import { groupName, groupOf, type Group, type Plan } from './plan';

/** One request that a profile makes, and what of `Applied` it is about. */
export type ProfileStep =
  | { readonly kind: 'mute'; readonly path: string; readonly value: boolean }
  | { readonly kind: 'attributes'; readonly path: string; readonly attributes: Attributes }
  | { readonly kind: 'cancel'; readonly group: Group }
  | { readonly kind: 'observe'; readonly group: Group }
  | { readonly kind: 'read'; readonly group: Group };

/**
 * What is left to do, in order: attributes, ends of observations, observations, reads. `undefined` as a plan: the device has no
 * profile any more.
 */
export function stepsTo(plan: Plan | undefined, applied: Applied): ProfileStep[] {
  const steps: ProfileStep[] = [];
  if (plan?.mute && applied.mute !== plan.mute.value) steps.push({ kind: 'mute', ...plan.mute });
  steps.push(...attributeSteps(plan?.attributes ?? new Map<string, Attributes>(), applied.attributes));
  const wanted = new Map((plan?.observe ?? []).map((group) => [groupName(group), group]));
  for (const [name, observes] of applied.observed) {
    if (observes && !wanted.has(name)) steps.push({ kind: 'cancel', group: groupOf(name) });
  }
  for (const [name, group] of wanted) if (!applied.observed.has(name)) steps.push({ kind: 'observe', group });
  // What the device does not observe it may give at least once.
  const instead = [...wanted].filter(([name]) => applied.observed.get(name) === false).map(([, group]) => group);
  for (const group of [...instead, ...(plan?.read ?? [])]) {
    const paths = group.paths.filter((path) => !applied.read.has(path));
    if (paths.length > 0) steps.push({ kind: 'read', group: { composite: group.composite, paths } });
  }
  return steps;
}

function attributeSteps(wanted: ReadonlyMap<string, Attributes>, applied: Applied['attributes']): ProfileStep[] {
  const steps: ProfileStep[] = [];
  const paths = new Set([...wanted.keys(), ...applied.keys()]);
  for (const path of paths) {
    const now = new Map(wanted.get(path) ?? []);
    const before = applied.get(path) ?? new Map<string, string>();
    const set = [...now].filter(([name, value]) => before.get(name) !== value);
    const removed = [...before.keys()].filter((name) => !now.has(name));
    const attributes = [...set, ...removed.map((name) => [name, null] as const)];
    if (attributes.length > 0) steps.push({ kind: 'attributes', path, attributes });
  }
  return steps;
}

/** The request of a step. */
export function operationOf(step: ProfileStep): Operation {
  switch (step.kind) {
    case 'mute': {
      const path = parsePath(step.path);
      return { kind: 'WriteReplace', path, nodes: [{ path: path.ids, type: 'boolean', value: step.value }] };
    }
    case 'attributes':
      return { kind: 'WriteAttributes', path: parsePath(step.path), attributes: step.attributes };
    case 'cancel':
      return step.group.composite
        ? { kind: 'ObserveCompositeCancel', paths: step.group.paths.map(parsePath) }
        : { kind: 'ObserveCancel', path: parsePath(step.group.paths[0] ?? '') };
    case 'observe':
      return step.group.composite
        ? { kind: 'ObserveComposite', paths: step.group.paths.map(parsePath) }
        : { kind: 'Observe', path: parsePath(step.group.paths[0] ?? '') };
    case 'read':
      return step.group.composite
        ? { kind: 'ReadComposite', paths: step.group.paths.map(parsePath) }
        : { kind: 'Read', path: parsePath(step.group.paths[0] ?? '') };
  }
}

/** A request in words, such as "Write-Attributes /3/0/9 pmin=10 pmax=60". */
export function stepText(step: ProfileStep): string {
  switch (step.kind) {
    case 'mute':
      return `Write ${step.path} ${step.value}`;
    case 'attributes':
      return `Write-Attributes ${step.path} ${step.attributes.map(([name, value]) => (value === null ? `-${name}` : `${name}=${value}`)).join(' ')}`;
    case 'cancel':
      return `Cancel ${observeText(step.group)}`;
    case 'observe':
      return observeText(step.group);
    case 'read':
      return `${step.group.composite ? 'Read-Composite' : 'Read'} ${step.group.paths.join(' ')}`;
  }
}

function observeText({ composite, paths }: Group): string {
  return `${composite ? 'Observe-Composite' : 'Observe'} ${paths.join(' ')}`;
}
