/**
 * Functions of the application that were to give a value at once, and may be async by mistake: a promise that rejects
 * later must not end the program.
 */
export function settled<Value>(value: Value): Value {
  if (value instanceof Promise) value.catch(() => {});
  return value;
}
