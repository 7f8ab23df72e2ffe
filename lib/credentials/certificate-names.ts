import type { CertificateName } from './certificate-facts';

/** Which part of a name in a certificate is an endpoint name. */
interface NameRule {
  readonly kind: CertificateName['kind'];
  readonly prefix: string;
  readonly suffix: string;
}

export type NameRules = readonly NameRule[];

const DEFAULT = 'cn:*, uri:*, dns:*';

/**
 * Rules like `cn:*, uri:urn:dev:*, dns:*.devices.example`: what stands at the place of the star is the endpoint name; blank: common
 * name, URIs and DNS names as they are. Throws RangeError in plain words.
 */
export function parseNameRules(text = ''): NameRules {
  return (text.trim() || DEFAULT)
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const [, kind, prefix, suffix] = /^(cn|uri|dns):([^*]*)\*([^*]*)$/i.exec(part) ?? [];
      if (kind === undefined || prefix === undefined || suffix === undefined) {
        throw new RangeError(
          `The rule "${part.slice(0, 60)}" for names in certificates must look like cn:*, uri:urn:dev:* or dns:*.devices.example.`,
        );
      }
      return { kind: kind.toLowerCase() as NameRule['kind'], prefix, suffix };
    });
}

/** The endpoint names that the names of a certificate stand for, in the order of the rules, each once. */
export function endpointNames(names: readonly CertificateName[], rules: NameRules): string[] {
  // The case of DNS names says nothing (RFC 4343).
  const like = (name: string, kind: NameRule['kind']): string => (kind === 'dns' ? name.toLowerCase() : name);
  const found = rules.flatMap(({ kind, prefix, suffix }) =>
    names
      .filter(
        (each) =>
          each.kind === kind && like(each.name, kind).startsWith(like(prefix, kind)) && like(each.name, kind).endsWith(like(suffix, kind)),
      )
      .map(({ name }) => name.slice(prefix.length, name.length - suffix.length))
      .filter((name) => name !== ''),
  );
  return [...new Set(found)];
}
