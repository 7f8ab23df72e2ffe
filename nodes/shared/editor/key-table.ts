/** The table of keys: a name for a path. */
import { textOf } from './red';
import { suggestPaths } from './suggestions';
import type { EditorNode, Validity } from './red';

export interface KeyRow {
  key: string;
  path: string;
}

/** `/3`, `/3/0`, `/3_1.1/0/9`. */
export const PATH = /^\/?\d{1,5}(_\d+\.\d+)?(\/\d{1,5}){0,3}\/?$/;

/** Fills the list with the rows; a path can be chosen by name. */
export function prepareKeys($list: JQuery, node: EditorNode<{ keys: KeyRow[] }>, $server: JQuery, $endpoint: JQuery): void {
  const t = (name: string): string => node._(`lwm2m-rpc.${name}`);
  const input = (name: keyof KeyRow, flex: string, value: unknown): JQuery =>
    $('<input type="text">')
      .addClass(`lwm2m-key-${name}`)
      .attr({ placeholder: t(`column.${name}`), 'aria-label': t(`column.${name}`) })
      .css({ flex, minWidth: 0, marginRight: '6px' })
      .val(textOf(value));
  $list
    .css({ minHeight: '90px' })
    .editableList<Partial<KeyRow>>({
      addButton: t('label.addKey'),
      removable: true,
      sortable: true,
      height: 'auto',
      addItem(container, _index, row) {
        const $row = $('<div>').css({ display: 'flex', alignItems: 'center' }).appendTo(container);
        const $path = input('path', '3', row.path);
        $row.append(input('key', '2', row.key), $path);
        suggestPaths($path, $server, $endpoint);
        if (row.key === undefined) $row.find('input').first().trigger('focus');
      },
    })
    .editableList('addItems', rowsOf(node.keys));
}

/** The rows as they stand in the dialog; those without a key are left out. */
export function readKeys($list: JQuery): KeyRow[] {
  return $list
    .editableList('items')
    .toArray()
    .map((item) => ({ key: textOf($(item).find('.lwm2m-key-key').val()), path: textOf($(item).find('.lwm2m-key-path').val()) }))
    .filter(({ key }) => key !== '');
}

/** A node saved before there was a table has none. */
function rowsOf(value: unknown): KeyRow[] {
  return Array.isArray(value) ? (value as KeyRow[]) : [];
}

export function keysAreRight(this: EditorNode<{ keys: KeyRow[] }>, value: unknown): Validity {
  const rows = rowsOf(value);
  const names = rows.map(({ key }) => key);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) return this._('lwm2m-rpc.invalid.keyTwice', { key: twice });
  const wrong = rows.find(({ path }) => !PATH.test(path));
  return wrong === undefined || this._('lwm2m-rpc.invalid.keyPath', { key: wrong.key });
}

/** Paths or keys of the table, which commas separate. Blank is right. */
export function pathsAreRight(this: EditorNode<{ keys: KeyRow[] }>, value: unknown): Validity {
  const known = new Set(rowsOf(this.keys).map(({ key }) => key));
  const parts = textOf(value)
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  return parts.every((part) => PATH.test(part) || known.has(part)) || this._('lwm2m-rpc.invalid.paths');
}
