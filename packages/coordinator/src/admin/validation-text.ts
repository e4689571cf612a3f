/** Validation errors of a body, query or path in terms of the API instead of JSON Schema. */

/** One finding of the schema check, as Ajv reports it. */
export interface SchemaFinding {
  /** JSON pointer to the value; empty for the whole document. */
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** `reason has more than 256 characters`. `place` names the checked part of the request, e.g. `body`. */
export function validationText({ instancePath, keyword, params }: SchemaFinding, place: string): string {
  const name = instancePath.slice(1).replaceAll('/', '.') || place;
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
      return `${inside(instancePath, params['additionalProperty'])} is not a known field`;
    case 'pattern':
      return `${name} has a character that is not allowed`;
    default:
      return `${name} has a value that is not allowed`;
  }
}

function inside(instancePath: string, field: unknown): string {
  return [...instancePath.split('/').slice(1), String(field).slice(0, 64)].join('.');
}
