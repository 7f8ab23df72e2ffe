/** What the parts of the dialog about keys have in common: making a key pair, and showing once what goes where. */
import type { CertifiedPairAnswer, KeyPairAnswer } from '../shared/admin-types';
import type { Translate } from '../shared/editor/red';

/** Made by the running Node-RED: a browser may do so in secure places only. A relative address, as Node-RED may live under another root. */
export function askKeyPair(): Promise<KeyPairAnswer> {
  return ask('key-pairs', {});
}

/** Signed by `issuer`, or by itself. */
export function askCertificate(endpoint: string, issuer: Issuer | undefined): Promise<CertifiedPairAnswer> {
  return ask('device-certificates', { endpoint, ...(issuer && { issuer }) });
}

export function askAuthority(name: string): Promise<CertifiedPairAnswer> {
  return ask('authorities', { name });
}

/** A CA with its key, PEM. Only an open dialog has it: the key is never kept. */
export type Issuer = Pick<CertifiedPairAnswer, 'certificate' | 'privateKey'>;
let issuer: Issuer | undefined;

/** The CA that signs certificates of devices while this dialog is open. */
export const presentIssuer = (): Issuer | undefined => issuer;
export function setIssuer(next: Issuer | undefined): void {
  issuer = next;
}

function ask<T>(what: string, body: object): Promise<T> {
  return new Promise((resolve, reject) => {
    $.ajax({ method: 'POST', url: `lwm2m/${what}`, data: JSON.stringify(body), contentType: 'application/json' })
      .done((answer: T) => resolve(answer))
      .fail((request, _status, reason) =>
        reject(
          new Error(wordsOf(request.responseJSON) ?? (request.status > 0 ? `${request.status} ${reason}` : reason || 'no connection')),
        ),
      );
  });
}

function wordsOf(answer: unknown): string | undefined {
  const { error } = (typeof answer === 'object' && answer !== null ? answer : {}) as { error?: unknown };
  return typeof error === 'string' ? error : undefined;
}

/** Lines of what to type into a device; `files` can be kept: after this they are shown no more. */
export function showNote(
  $note: JQuery,
  title: string,
  lines: readonly (readonly [string, string])[],
  files: readonly (readonly [name: string, content: string])[] = [],
): void {
  $note.empty().append($('<div>').text(title));
  for (const [label, value] of lines) $note.append($('<div>').append(document.createTextNode(`${label}: `), $('<code>').text(value)));
  for (const [name, content] of files) {
    $('<button type="button" class="red-ui-button red-ui-button-small lwm2m-key-file">')
      .css({ margin: '4px 6px 0 0' })
      .append('<i class="fa fa-download" aria-hidden="true"></i> ', $('<span>').text(name))
      .on('click', () => save(name, content))
      .appendTo($note);
  }
}

function save(name: string, content: string): void {
  const url = URL.createObjectURL(new Blob([content], { type: 'application/x-pem-file' }));
  const link = $('<a>').attr({ href: url, download: name })[0] as HTMLAnchorElement;
  link.click();
  URL.revokeObjectURL(url);
}

/** DER of a private key (PKCS #8, PKCS #1, SEC 1) begins so: in base64, also that of URLs, and in hexadecimal digits. */
const privateDer = /^(M(I[\w+/-]{2}AgE|[\w+/-]{2}CAQ|II[\w+/-]{2}[AQgw]IB)|30(81..|82....|[0-7].)0201)/;

/** A private key is to be kept out of the flow, wherever it was pasted and however it was written. */
export function isPrivate(text: string): boolean {
  const packed = text.replace(/^\s*(base64:|hex:|0x)/i, '').replace(/[\s:]/g, '');
  // A JSON Web Key has its private part under this name.
  return text.includes('PRIVATE KEY') || privateDer.test(packed) || /"d"\s*:/.test(text);
}

/** Why a public key cannot be right, or ''. The server looks closer when it starts. */
export function publicKeyProblem(text: string, t: Translate): string {
  if (text === '') return t('publicKeyMissing');
  if (isPrivate(text)) return t('privateKey');
  return text.includes('CERTIFICATE') ? t('certificateForKey') : '';
}

/** The same of a certificate, which may be missing. */
export function certificateProblem(text: string, t: Translate): string {
  if (isPrivate(text)) return t('privateKey');
  return text.includes('PUBLIC KEY') ? t('keyForCertificate') : '';
}

export function textArea(rows: number): JQuery {
  return $('<textarea class="lwm2m-pem" spellcheck="false" autocomplete="off">').attr('rows', rows);
}
