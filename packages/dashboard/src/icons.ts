/** Icons of the browser tab, one for each tone: a coloured square with the mark of the tone. */

const ICONS: readonly (readonly [name: string, color: string, path: string])[] = [
  ['good', '#17714f', 'M3 8.5 6.5 12 13 4.5'],
  ['risk', '#c98500', 'M8 3v6M8 12v.6'],
  ['harm', '#d2480c', 'M8 3v6M8 12v.6'],
  ['outage', '#a40e34', 'M4 4l8 8M12 4l-8 8'],
  ['quiet', '#66717c', 'M4 8h8'],
];

/** SVG texts by name. */
export function icons(): ReadonlyMap<string, string> {
  return new Map(
    ICONS.map(([name, color, path]) => [
      name,
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="${color}"/><path d="${path}" fill="none" stroke="#fff" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"/></svg>`,
    ]),
  );
}
