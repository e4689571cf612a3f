/** The values of an option that takes several. A variable has a list as one text with commas. */
export function listed(values: readonly string[] | string): readonly string[] {
  return (typeof values === 'string' ? [values] : values)
    .flatMap((value) => value.split(','))
    .map((value) => value.trim())
    .filter((value) => value !== '');
}
