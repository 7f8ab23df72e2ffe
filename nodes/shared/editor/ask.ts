import { textOf } from './red';

/** Asks the running Node-RED something about a profile, for the chosen server. Rejects with an Error in words. */
export function ask<T>($server: JQuery, what: string, body: object): Promise<T> {
  const server = textOf($server.val());
  const id = server === '' || server === '_ADD_' ? '_' : server;
  return new Promise((resolve, reject) => {
    // By jQuery, which sends the editor's login along; a relative address, as Node-RED may live under another root.
    $.ajax({
      url: `lwm2m/${encodeURIComponent(id)}/profile/${what}`,
      method: 'POST',
      contentType: 'application/json',
      data: JSON.stringify(body),
    })
      .done((answer: T) => resolve(answer))
      .fail((request, _status, reason) =>
        reject(new Error(request.status > 0 ? `${request.status} ${reason}` : reason || 'no connection')),
      );
  });
}
