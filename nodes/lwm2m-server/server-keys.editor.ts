/** The part of the dialog about who the server is, and whom it trusts. */
import { textOf } from '../shared/editor/red';
import type { EditorNode, Translate } from '../shared/editor/red';
import { askKeyPair, certificateProblem, isPrivate, showNote } from './keys.editor';

const prefix = 'node-config-input-';
/** Stands for a key that Node-RED has and does not tell. */
const kept = '__PWRD__';

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

/** What belongs to nobody is not kept in the flow: a private key that was pasted among the certificates. */
export function readPublic(name: 'serverCertificate' | 'trustAnchors'): string {
  const $field = $(`#${prefix}${name}`);
  const text = textOf($field.val());
  if (!isPrivate(text)) return text;
  $field.val('');
  return '';
}
