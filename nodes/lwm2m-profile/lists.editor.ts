/** The two lists of the dialog: resources, and attributes of objects and instances. */
import type { ResourceName } from '../shared/admin-types';
import { ask } from '../shared/editor/ask';
import { textOf } from '../shared/editor/red';
import type { Translate } from '../shared/editor/red';
import { suggestPaths } from '../shared/editor/suggestions';
import { attributeFields, rowProblem, spelled } from './rows.editor';
import type { AttributeValues, Row } from './rows.editor';

/** Milliseconds between the last key and the question what a path is called. */
const pause = 300;
const flags = ['telemetry', 'attribute', 'observe'] as const;
const scale = ['factor', 'offset', 'unit'] as const;

export const $resources = (): JQuery => $('#lwm2m-profile-resources');
export const $attributes = (): JQuery => $('#lwm2m-profile-attributes');
const $server = (): JQuery => $('#node-config-input-server');
const $device = (): JQuery => $('#lwm2m-profile-device');

export function prepareLists(t: Translate): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const named = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void nameRows(t), pause);
  };
  $server().on('change', named);
  $resources().editableList<Row>({
    addButton: t('label.addResource'),
    removable: true,
    sortable: true,
    height: 'auto',
    addItem(container, _index, row) {
      addRow(container, row, true, t, named);
    },
  });
  $attributes().editableList<Row>({
    addButton: t('label.addAttributes'),
    removable: true,
    height: 'auto',
    addItem(container, _index, row) {
      addRow(container, row, false, t, named);
    },
  });
}

export function showRows(resources: readonly Row[], others: readonly Row[]): void {
  $resources().editableList('empty');
  $attributes().editableList('empty');
  $resources().editableList('addItems', [...resources]);
  $attributes().editableList('addItems', [...others]);
}

export function readRows(): { resources: Row[]; others: Row[] } {
  return { resources: rowsIn($resources()), others: rowsIn($attributes()) };
}

function rowsIn($list: JQuery): Row[] {
  return $list
    .editableList('items')
    .toArray()
    .map((item) => readRow($(item)))
    .filter(({ path }) => path !== '');
}

function addRow(container: JQuery, row: Row, isResource: boolean, t: Translate, named: () => void): void {
  const $path = field('path', t('column.path'), row.path).css({ flex: '3' });
  const $line = $('<div class="lwm2m-profile-line">').append($path).appendTo(container);
  suggestPaths($path, $server(), $device());
  const $more = $('<div class="lwm2m-profile-more">');
  // What is filled in should be seen; what is not is made when it is asked for: there may be hundreds of rows.
  const isFilled = Object.keys(row.values ?? {}).length > 0 || scale.some((name) => row[name] !== undefined);
  if (isFilled || !isResource) fillMore($more, row, isResource, t);
  const $below = $('<div class="lwm2m-profile-line">')
    .css({ marginTop: '4px' })
    .append('<span class="lwm2m-profile-name">')
    .appendTo(container);
  if (isResource) {
    $line.append(field('key', t('column.key'), row.key).css({ flex: '2' }));
    for (const flag of flags) $below.append(checkbox(flag, t(`column.${flag}`), row[flag] === true));
    $below.append(moreButton($more, () => fillMore($more, row, isResource, t), t));
  }
  const $problem = $('<div class="lwm2m-profile-problem" role="status" aria-live="polite">');
  container.append($more, $problem);
  const check = (): void => {
    const problem = rowProblem(readRow(container), isResource, t);
    $problem.text(problem);
    $path.toggleClass('input-error', problem !== '');
  };
  container.on('input change', 'input, select', check);
  $path.on('input change', named);
  check();
  named();
  // A row just added: the user goes on typing.
  if (row.path === undefined) $path.trigger('focus');
}

function moreButton($more: JQuery, fill: () => void, t: Translate): JQuery {
  const shown = (): boolean => $more.children().length > 0 && $more.css('display') !== 'none';
  const $button = $('<button type="button" class="red-ui-button red-ui-button-small lwm2m-profile-open">')
    .attr({ 'aria-label': t('label.more'), title: t('label.more'), 'aria-expanded': String(shown()) })
    .append('<i class="fa fa-sliders" aria-hidden="true"></i>');
  return $button.on('click', () => {
    if ($more.children().length === 0) fill();
    else $more.toggle(!shown());
    $button.attr('aria-expanded', String(shown()));
  });
}

/** Attributes, and of a resource factor, offset and unit. */
function fillMore($more: JQuery, row: Row, isResource: boolean, t: Translate): void {
  for (const { name, kind, value: ofValue } of attributeFields) {
    if (ofValue && !isResource) continue;
    const value = row.values?.[name];
    const $input =
      kind === 'flag' ? flagField(name, value, t) : field(name, t(`attribute.${name}`), typeof value === 'boolean' ? '' : value);
    $more.append(labelled(name, t(`attribute.${name}`), $input));
  }
  if (isResource)
    for (const name of scale) $more.append(labelled(t(`column.${name}`), t(`column.${name}`), field(name, t(`column.${name}`), row[name])));
}

function labelled(text: string, title: string, $input: JQuery): JQuery {
  return $('<label>').attr({ title }).append($('<span>').text(text), $input);
}

function field(name: string, title: string, value: unknown): JQuery {
  return $('<input type="text">')
    .addClass(`lwm2m-profile-${name}`)
    .attr({ placeholder: name === 'path' || name === 'key' ? title : '', 'aria-label': title })
    .val(textOf(value));
}

function checkbox(name: string, text: string, checked: boolean): JQuery {
  const $box = $('<input type="checkbox">').addClass(`lwm2m-profile-${name}`).prop('checked', checked);
  return $('<label>').append($box, $('<span>').text(text));
}

function flagField(name: string, value: unknown, t: Translate): JQuery {
  const options = ['', '1', '0'].map((each) =>
    $('<option>')
      .val(each)
      .text(each === '' ? '' : t(each === '1' ? 'flag.on' : 'flag.off')),
  );
  return $('<select>')
    .addClass(`lwm2m-profile-${name}`)
    .attr('aria-label', t(`attribute.${name}`))
    .append(options)
    .val(value === undefined ? '' : String(Number(value)));
}

function readRow($row: JQuery): Row {
  const text = (name: string): string => textOf($row.find(`.lwm2m-profile-${name}`).val());
  const row: Row = { path: spelled(text('path')) };
  if (text('key') !== '') row.key = text('key');
  for (const flag of flags) if ($row.find(`.lwm2m-profile-${flag}`).prop('checked') === true) row[flag] = true;
  for (const name of ['factor', 'offset'] as const) if (text(name) !== '') row[name] = numberOr(text(name));
  if (text('unit') !== '') row.unit = text('unit');
  const values: AttributeValues = {};
  for (const { name } of attributeFields) if (text(name) !== '') values[name] = numberOr(text(name));
  return Object.keys(values).length > 0 ? { ...row, values } : row;
}

/** What is no number stays as it was typed, for the check to say so. */
function numberOr(text: string): number | string {
  return Number.isFinite(Number(text)) ? Number(text) : text;
}

/** Asks once for all rows what their paths are called, and which keys they get by themselves. */
async function nameRows(t: Translate): Promise<void> {
  const rows = [...$resources().editableList('items').toArray(), ...$attributes().editableList('items').toArray()].map((item) => $(item));
  const paths = rows.map(($row) => spelled($row.find('.lwm2m-profile-path').val()));
  if (!paths.some((path) => path !== '')) return;
  let names: readonly ResourceName[];
  try {
    names = await ask<ResourceName[]>($server(), 'names', { paths });
  } catch {
    return;
  }
  for (const [at, $row] of rows.entries()) {
    const known = names[at];
    // Typed on meanwhile: the next answer is for that.
    if (!known || spelled($row.find('.lwm2m-profile-path').val()) !== paths[at]) continue;
    const name = known.unreadable ? t('tools.unreadable', { name: known.name }) : known.name;
    $row.find('.lwm2m-profile-name').text(name ?? '');
    if (known.key !== undefined) $row.find('.lwm2m-profile-key').attr('placeholder', known.key);
  }
}
