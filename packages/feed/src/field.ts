/** One field of a record of the feed: what it accepts, and what its absence means. A record is a table of fields. */
import type { ErrorCode, Fields, Range } from '@rollcall/protocol';

/** The accepted values, for tests. `other`: decided by the function that reads the field. */
export type Accepted =
  | { readonly type: 'number' | 'integer'; readonly range: Range }
  | { readonly type: 'text'; readonly maxLength: number }
  | { readonly type: 'one-of'; readonly values: readonly string[] }
  | { readonly type: 'boolean' | 'other' };

/** How the values of a field are read and compared. */
interface Format<Value> {
  readonly accepted: Accepted;
  /** Returns `undefined` for an absent field, and for a value that is not accepted; then the fault is in `fields`. */
  readonly read: (fields: Fields, name: string) => Value | undefined;
  isSame(one: Value, other: Value): boolean;
}

/** `required`: a record without the field is not accepted. `default`: an absent field has the default. `optional`: it stays absent. */
export type Presence = 'required' | 'default' | 'optional';

export interface Field<Value, Rule extends Presence> extends Format<Value> {
  readonly presence: Rule;
  /** Value of an absent field; `undefined` unless `presence` is `default`. */
  readonly absent: Value | undefined;
  /** A change of the field changes which node serves which request: a worker builds its context table again. */
  readonly isPlacement: boolean;
}

/** Fields by name, in the order on the wire. */
export type FieldTable = Readonly<Record<string, Field<unknown, Presence>>>;

/** The record that a table describes. Absent optional fields are `undefined`, so all records of a table have the same shape. */
export type RecordOf<Table extends FieldTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Field<infer Value, infer Rule>
    ? Rule extends 'optional'
      ? Value | undefined
      : Value
    : never;
};

/** Values of a new record. Only required fields must be present. */
export type ValuesOf<Table extends FieldTable> = {
  readonly [Name in keyof Table as Table[Name]['presence'] extends 'required' ? Name : never]: RecordOf<Table>[Name];
} & {
  readonly [Name in keyof Table as Table[Name]['presence'] extends 'required' ? never : Name]?:
    | RecordOf<Table>[Name]
    | undefined;
};

export function required<Value>(format: Format<Value>): Field<Value, 'required'> {
  return { ...format, presence: 'required', absent: undefined, isPlacement: false };
}

export function withDefault<Value>(format: Format<Value>, absent: Value): Field<Value, 'default'> {
  return { ...format, presence: 'default', absent, isPlacement: false };
}

export function optional<Value>(format: Format<Value>): Field<Value, 'optional'> {
  return { ...format, presence: 'optional', absent: undefined, isPlacement: false };
}

/** The field with `isPlacement`. */
export function placement<Value, Rule extends Presence>(field: Field<Value, Rule>): Field<Value, Rule> {
  return { ...field, isPlacement: true };
}

export function number(range: Range): Format<number> {
  return { accepted: { type: 'number', range }, read: (fields, name) => fields.number(name, range), isSame };
}

export function integer(range: Range): Format<number> {
  return { accepted: { type: 'integer', range }, read: (fields, name) => fields.integer(name, range), isSame };
}

export function boolean(): Format<boolean> {
  return { accepted: { type: 'boolean' }, read: (fields, name) => fields.boolean(name), isSame };
}

export function text(maxLength: number): Format<string> {
  return { accepted: { type: 'text', maxLength }, read: (fields, name) => fields.text(name, maxLength), isSame };
}

export function oneOf<const Value extends string>(values: readonly Value[]): Format<Value> {
  return { accepted: { type: 'one-of', values }, read: (fields, name) => fields.oneOf(name, values), isSame };
}

/** The result of `parse` for a text. `what` ends the error sentence "… is not WHAT". */
export function parsed<Value>(
  parse: (value: string) => Value | undefined,
  what: string,
  code: ErrorCode = 'bad-field',
): Format<Value> {
  return { accepted: { type: 'other' }, read: (fields, name) => fields.parsed(name, parse, what, code), isSame };
}

/** An object with fields of its own, which `read` reads. */
export function object<Value>(read: (fields: Fields | undefined) => Value | undefined): Format<Value> {
  return { accepted: { type: 'other' }, read: (fields, name) => read(fields.object(name)), isSame };
}

/** A list that `read` reads. Its items are compared with `isSameItem`. */
export function list<Item>(
  read: (fields: Fields, name: string) => readonly Item[] | undefined,
  isSameItem: (one: Item, other: Item) => boolean = isSame,
): Format<readonly Item[]> {
  return {
    accepted: { type: 'other' },
    read,
    isSame: (one, other) =>
      one === other || (one.length === other.length && one.every((item, i) => isSameItem(item, other[i]!))),
  };
}

function isSame<Value>(one: Value, other: Value): boolean {
  return one === other;
}
