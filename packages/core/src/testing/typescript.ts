/** Arguments of Node before a TypeScript program of the tests, which loads the sources of the packages. */
export const TYPESCRIPT: readonly string[] = [
  '--conditions=@rollcall/source',
  '--import',
  new URL('../../../../.tools/typescript.mjs', import.meta.url).href,
];
