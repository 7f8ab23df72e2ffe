import { textOf } from './red';
import type { EditorNode, Validity } from './red';

type Check<P, V> = (this: EditorNode<P>, value: V) => Validity;

/** Makes a check one the editor takes a reason from: it looks at the number of parameters, and takes any text of a function with one for "valid". */
export function validator<P, V>(check: Check<P, V>) {
  return function (this: EditorNode<P>, value: V, _options: unknown): Validity {
    return check.call(this, value);
  };
}

/** Whether it is a whole number in a range, or blank where `blank` says so; else the text of `key`. */
export function checkNumber<P>(node: EditorNode<P>, value: unknown, key: string, min: number, max: number, blank: boolean): Validity {
  const text = textOf(value);
  if (text === '' && blank) return true;
  const number = Number(text);
  return (text !== '' && Number.isInteger(number) && number >= min && number <= max) || node._(key, { min, max });
}

export function wholeNumber<P>(key: string, min: number, max: number, blank: boolean) {
  return validator<P, unknown>(function (value) {
    return checkNumber(this, value, key, min, max, blank);
  });
}

/** Like `/3`, `/3/0`, `/3/0/9`; with a version after the object where `versions` allows it. Blank is right. */
export function pathText<P>(key: string, versions: boolean) {
  const pattern = versions ? /^\/?\d{1,5}(_\d+\.\d+)?(\/\d{1,5}){0,3}\/?$/ : /^\/?\d{1,5}(\/\d{1,5}){0,3}\/?$/;
  return validator<P, unknown>(function (value) {
    const text = textOf(value);
    return text === '' || pattern.test(text) || this._(key);
  });
}
