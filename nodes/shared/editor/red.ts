/** The parts of Node-RED's editor that the dialogs use. The published types lack the autocomplete widget and validation texts. */

export type Translate = (key: string, data?: Readonly<Record<string, unknown>>) => string;

/** A node in the editor, with its saved properties. */
export type EditorNode<P> = P & { readonly id: string; readonly _: Translate };

/** `true`, or the reason why not, shown at the node's red triangle. */
export type Validity = boolean | string;

export interface PropertyDefinition<P, V> {
  value: V;
  required?: boolean;
  /** The type of the configuration node it names. */
  type?: string;
  validate?(this: EditorNode<P>, value: V, options?: { readonly label?: string }): Validity;
}

export interface NodeDefinition<P> {
  category: string;
  color?: string;
  icon?: string;
  align?: 'left' | 'right';
  inputs?: 0 | 1;
  outputs?: number;
  /** Of a configuration node: false where no node refers to it, so that it does not count as unused. */
  hasUsers?: boolean;
  defaults: { [K in keyof P]: PropertyDefinition<P, P[K]> };
  /** What Node-RED keeps apart from the flow. */
  credentials?: Readonly<Record<string, { readonly type: 'password' | 'text' }>>;
  paletteLabel?(this: { readonly _: Translate }): string;
  label(this: EditorNode<P>): string;
  labelStyle?(this: EditorNode<P>): string;
  inputLabels?(this: EditorNode<P>): string;
  outputLabels?(this: EditorNode<P>): string;
  oneditprepare?(this: EditorNode<P>): void;
  oneditsave?(this: EditorNode<P>): void;
  oneditcancel?(this: EditorNode<P>): void;
  /** Of configuration nodes: deleted from within the dialog. */
  oneditdelete?(this: EditorNode<P>): void;
  oneditresize?(this: EditorNode<P>, size: { readonly width: number; readonly height: number }): void;
}

export interface ConfigNode {
  readonly id: string;
  readonly name?: string;
}

export interface EditorRed {
  readonly editor: {
    /** Opens the dialog of a configuration node, `_ADD_` that of a new one; `name` is the field it is for, or blank. */
    editConfig(name: string, type: string, id: string): void;
  };
  readonly events: {
    on(event: string, listener: () => void): void;
    off(event: string, listener: () => void): void;
  };
  readonly clipboard: {
    /** Shows `note` at the element when it is done. */
    copyText(text: string, $element: JQuery, note: string): boolean;
  };
  readonly nodes: {
    node(id: string): object | null | undefined;
    registerType<P>(type: string, definition: NodeDefinition<P>): void;
    eachConfig(callback: (node: ConfigNode & { readonly type: string } & Record<string, unknown>) => void): void;
  };
}

declare global {
  const RED: EditorRed;
}

/** What stands in a field, trimmed; '' for what is neither text nor number. */
export function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value).trim() : '';
}

/** One line of the autocomplete list. */
export interface Suggestion {
  readonly value: string;
  readonly label: JQuery;
}

/** An input with the autocomplete widget, which the jQuery types do not know. */
export function autoComplete($input: JQuery, search: (text: string, done: (found: Suggestion[]) => void) => void): void {
  ($input as unknown as { autoComplete(options: object): void }).autoComplete({ minLength: 0, search });
}

/** Paints the node in the palette and in flows. */
export const nodeColor = '#9BCBC6';
export const category = 'LwM2M';
