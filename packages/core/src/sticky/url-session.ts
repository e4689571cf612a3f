/**
 * Session ids in the target of a request: path parameters (`/cart;jsessionid=abc.node1`) and query parameters
 * (`/cart?_s=abc.node1`). Names are case-sensitive, nothing is decoded, every function is linear in the target.
 */

/** Index of the value of the next path parameter `name` at or after `from`; -1 when there is none. */
export function pathParameterStart(target: string, name: string, from: number): number {
  const query = target.indexOf('?');
  const pathEnd = query < 0 ? target.length : query;
  for (let at = target.indexOf(';', from); at >= 0 && at < pathEnd; at = target.indexOf(';', at + 1)) {
    const equals = at + 1 + name.length;
    if (target.startsWith(name, at + 1) && target.charCodeAt(equals) === 0x3d) return equals + 1;
  }
  return -1;
}

/** End of the path parameter whose value begins at `start`: the next `;`, `/` or `?`, or the end of the target. */
export function pathParameterEnd(target: string, start: number): number {
  let end = start;
  while (end < target.length && !isPathMark(target.charCodeAt(end))) end++;
  return end;
}

/** Index of the value of the next query parameter `name` at or after `from`; -1 when there is none. */
export function queryParameterStart(target: string, name: string, from: number): number {
  const query = target.indexOf('?');
  if (query < 0) return -1;
  for (let at = target.indexOf(name, Math.max(from, query + 1)); at >= 0; at = target.indexOf(name, at + 1)) {
    const before = target.charCodeAt(at - 1);
    const equals = at + name.length;
    if (target.charCodeAt(equals) === 0x3d && (at === query + 1 || before === 0x26)) return equals + 1;
  }
  return -1;
}

/** End of the query parameter whose value begins at `start`: the next `&`, or the end of the target. */
export function queryParameterEnd(target: string, start: number): number {
  const ampersand = target.indexOf('&', start);
  return ampersand < 0 ? target.length : ampersand;
}

/** Returns the new value of a parameter, or `undefined` to drop it. */
export type ParameterEdit = (value: string) => string | undefined;

/** `target` with `edit` applied to every path and query parameter named in `names`; `undefined` when that changes nothing. */
export function editParameters(target: string, names: readonly string[], edit: ParameterEdit): string | undefined {
  const query = target.indexOf('?');
  const path = query < 0 ? target : target.slice(0, query);
  const editOne = (parameter: string): string | undefined => {
    const equals = parameter.indexOf('=');
    const name = equals < 0 ? '' : parameter.slice(0, equals);
    if (!names.includes(name)) return parameter;
    const edited = edit(parameter.slice(equals + 1));
    return edited === undefined ? undefined : `${name}=${edited}`;
  };
  const newPath = path.replace(/;([^;/]*)/g, (whole, parameter: string) => {
    const edited = editOne(parameter);
    if (edited === parameter) return whole;
    return edited === undefined ? '' : `;${edited}`;
  });
  let newTarget = newPath;
  if (query >= 0) {
    const kept: string[] = [];
    for (const parameter of target.slice(query + 1).split('&')) {
      const edited = editOne(parameter);
      if (edited !== undefined) kept.push(edited);
    }
    if (kept.length > 0) newTarget += `?${kept.join('&')}`;
  }
  return newTarget === target ? undefined : newTarget;
}

function isPathMark(unit: number): boolean {
  return unit === 0x3b || unit === 0x2f || unit === 0x3f;
}
