/** A box for one command: it goes to the deployed server, and the answer is shown below. */
import type { TryAnswer } from '../admin-types';
import { textOf } from './red';
import type { Translate } from './red';

export interface TryIt {
  /** The id of the server and the name of the device, as the dialog has them now. */
  readonly server: () => string;
  readonly endpoint: () => string;
  /** What else of the dialog counts: its keys, the form of answers. */
  readonly settings: () => object;
  readonly translate: Translate;
}

/** Makes a box work: Enter or the button sends, `help` lists the commands. */
export function prepareTryIt($box: JQuery, $button: JQuery, $answer: JQuery, options: TryIt): void {
  const { server, endpoint, settings, translate } = options;
  const show = (text: string): void => void $answer.text(text).show();
  const send = (): void => {
    const command = textOf($box.val()) || 'help';
    $button.prop('disabled', true);
    $.ajax({
      url: `lwm2m/${encodeURIComponent(server() || '_')}/command`,
      method: 'POST',
      contentType: 'application/json',
      data: JSON.stringify({ endpoint: endpoint(), command, settings: settings() }),
    })
      .done((answer: TryAnswer) => show(textOfAnswer(answer, translate)))
      .fail((_request, _status, reason) => show(translate('lwm2m-rpc.try.failed', { reason })))
      .always(() => $button.prop('disabled', false));
  };
  $button.on('click', send);
  $box.on('keydown', (event) => {
    if (event.key !== 'Enter') return;
    // Enter would close the dialog.
    event.preventDefault();
    event.stopPropagation();
    send();
  });
}

function textOfAnswer(answer: TryAnswer, translate: Translate): string {
  if ('help' in answer) return answer.help;
  if ('deployed' in answer) return translate('lwm2m-rpc.try.notDeployed');
  const notes = answer.warnings.map((text) => translate('lwm2m-rpc.try.warning', { text }));
  return [JSON.stringify(answer.payload, null, 2), ...notes].join('\n');
}
