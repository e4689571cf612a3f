/** Validation errors of a body, query or path in terms of the API instead of JSON Schema. */
import { isObject } from '@rollcall/protocol';
import { nearest } from './nearest.ts';

/** One finding of the schema check, as Ajv reports it. */
export interface SchemaFinding {
  /** JSON pointer to the value; empty for the whole document. */
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** Schema of the object that has the value. */
  readonly parentSchema?: unknown;
}

/** `reason has more than 256 characters`. `place` names the checked part of the request, e.g. `body`. */
export function validationText(finding: SchemaFinding, place: string, all: readonly SchemaFinding[] = []): string {
  const { instancePath, keyword, params } = finding;
  const name = segmentsOf(instancePath).join('.') || place;
  const words = all.filter((one) => one.keyword === 'const' && one.instancePath === instancePath);
  if (keyword === 'const' && words.length > 0)
    return `${name} is not one of ${words.map((one) => one.params['allowedValue']).join(', ')}`;
  switch (keyword) {
    case 'minimum':
      return `${name} is less than ${params['limit']}`;
    case 'maximum':
      return `${name} is more than ${params['limit']}`;
    case 'maxLength':
      return `${name} has more than ${params['limit']} characters`;
    case 'maxItems':
      return `${name} has more than ${params['limit']} items`;
    case 'type':
      return `${name} is not ${/^[aeio]/.test(String(params['type'])) ? 'an' : 'a'} ${params['type']}`;
    case 'required':
      return `${inside(instancePath, params['missingProperty'])} is missing`;
    case 'additionalProperties':
      return `${inside(instancePath, params['additionalProperty'])} is not a known field${meant(finding)}`;
    case 'pattern':
      return `${name} has a character that is not allowed`;
    default:
      return `${name} has a value that is not allowed`;
  }
}

function inside(instancePath: string, field: unknown): string {
  return [...segmentsOf(instancePath), String(field).slice(0, 64)].join('.');
}

/** Names as they are in the document: messages have dots in between and no escapes of JSON Pointer (RFC 6901). */
function segmentsOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** `; did you mean "reason"?`; empty without a near field. */
function meant({ params, parentSchema }: SchemaFinding): string {
  const fields = isObject(parentSchema) ? parentSchema['properties'] : undefined;
  if (!isObject(fields)) return '';
  const [field] = nearest(String(params['additionalProperty']), Object.keys(fields), 1);
  return field === undefined ? '' : `; did you mean ${JSON.stringify(field)}?`;
}
