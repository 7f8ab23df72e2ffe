/** The part of the dialog about who the server is, and whom it trusts. */
import { textOf } from '../shared/editor/red';
import type { EditorNode, Translate } from '../shared/editor/red';
import { askAuthority, askKeyPair, certificateProblem, isPrivate, setIssuer, showNote } from './keys.editor';

const prefix = 'node-config-input-';
/** Stands for a key that Node-RED has and does not tell. */
const kept = '__PWRD__';
/** Characters of a common name. */
const maxName = 64;

export function prepareServerKeys(node: EditorNode<unknown>): void {
  const t: Translate = (key, data) => node._(`lwm2m-server.${key}`, data);
  const $key = $(`#${prefix}serverKey`);
  const $note = $('#lwm2m-server-key-note');
  const $problem = $('#lwm2m-server-key-problem');
  const check = (): void => {
    const key = textOf($key.val());
    const problems = [
      key !== kept && key.includes('-----BEGIN') && !key.includes('PRIVATE KEY') ? t('invalid.noPrivateKey') : '',
      ...['serverCertificate', 'trustAnchors'].map((name) =>
        certificateProblem(textOf($(`#${prefix}${name}`).val()), (each) => t(`invalid.${each}`)),
      ),
    ];
    $problem.text(problems.find((problem) => problem !== '') ?? '');
  };
  $(`#${prefix}serverKey, #${prefix}serverCertificate, #${prefix}trustAnchors`).on('input', check);
  $('#lwm2m-server-key-generate').on('click', () => {
    $note.text('…');
    askKeyPair().then(
      (pair) => {
        $key.val(pair.privateKey).trigger('change');
        // A certificate of the key before does not fit.
        $(`#${prefix}serverCertificate`).val('').trigger('change');
        check();
        showNote($note, t('serverKey.title'), [[t('serverKey.public'), pair.publicKeyDer]], [['server-public-key.pem', pair.publicKey]]);
      },
      (error: unknown) => $note.text(t('serverKey.failed', { reason: error instanceof Error ? error.message : String(error) })),
    );
  });
}

/** A small CA: its certificate joins the trusted ones, its key is handed over once, or was before and is opened again. */
export function prepareAuthority(node: EditorNode<unknown>): void {
  const t: Translate = (key, data) => node._(`lwm2m-server.${key}`, data);
  const $anchors = $(`#${prefix}trustAnchors`);
  const $note = $('#lwm2m-server-ca-note');
  const $file = $('#lwm2m-server-ca-file');
  const failed = (error: unknown): void => {
    $note.text(t('serverKey.failed', { reason: error instanceof Error ? error.message : String(error) }));
  };
  setIssuer(undefined);
  $('#lwm2m-server-ca-generate').on('click', () => {
    $note.text('…');
    const name = textOf($(`#${prefix}name`).val()).slice(0, maxName - 3);
    askAuthority(`${name || 'LwM2M'} CA`).then((made) => {
      setIssuer(made);
      $anchors.val([textOf($anchors.val()), made.certificate.trim()].filter((part) => part !== '').join('\n')).trigger('input');
      const both = `${made.privateKey.trim()}\n${made.certificate.trim()}\n`;
      showNote(
        $note,
        t('ca.made'),
        [],
        [
          ['ca-key-and-certificate.pem', both],
          ['ca-certificate.pem', made.certificate],
        ],
      );
    }, failed);
  });
  $('#lwm2m-server-ca-open').on('click', () => $file.trigger('click'));
  $file.on('change', () => {
    const [file] = ($file[0] as HTMLInputElement).files ?? [];
    $file.val('');
    if (!file) return;
    file.text().then((text) => {
      const privateKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----/.exec(text)?.[0];
      const certificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text)?.[0];
      if (privateKey === undefined || certificate === undefined) {
        $note.text(t('ca.incomplete'));
        return;
      }
      setIssuer({ privateKey, certificate });
      $note.text(t('ca.opened'));
    }, failed);
  });
}

/** The key of the CA ends with the dialog. */
export function closeAuthority(): void {
  setIssuer(undefined);
}

/** What belongs to nobody is not kept in the flow: a private key that was pasted among the certificates. */
export function readPublic(name: 'serverCertificate' | 'trustAnchors'): string {
  const $field = $(`#${prefix}${name}`);
  const text = textOf($field.val());
  if (!isPrivate(text)) return text;
  $field.val('');
  return '';
}
