/**
 * Returns `value`, the result of a synchronous callback of the application. If the callback is async by mistake, a rejection
 * of the promise is ignored, so that it does not end the program.
 */
export function settled<Value>(value: Value): Value {
  if (value instanceof Promise) value.catch(() => {});
  return value;
}
