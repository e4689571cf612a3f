/** Algorithms of the operator, from files. They run in the path of every request: core checks and supervises them. */
import { pathToFileURL } from 'node:url';
import {
  ALGORITHMS,
  type AlgorithmFactory,
  AlgorithmProblem,
  customAlgorithm,
  DEFAULT_ALGORITHM,
  isAlgorithmName,
} from '@rollcall/core';

/** The used part of a logger; compatible with pino. */
export interface AlgorithmLog {
  warn(fields: object, message: string): void;
}

/** Time between two log lines about mistakes of one algorithm, milliseconds. */
const QUIET_MS = 10_000;

/** All algorithms by name: those of core, and those of `files`. Rejects with one line that names the unusable file. */
export async function loadAlgorithms(
  files: Readonly<Record<string, string>>,
  log: AlgorithmLog,
): Promise<ReadonlyMap<string, AlgorithmFactory>> {
  const algorithms = new Map<string, AlgorithmFactory>(Object.entries(ALGORITHMS));
  for (const [name, file] of Object.entries(files)) {
    let quietUntilMs = Number.NEGATIVE_INFINITY;
    const complain = (mistake: string, nowMs: number): void => {
      if (nowMs < quietUntilMs) return;
      quietUntilMs = nowMs + QUIET_MS;
      log.warn({ algorithm: name, mistake }, `algorithm ${name} makes mistakes: ${DEFAULT_ALGORITHM} chooses instead`);
    };
    algorithms.set(name, await loadAlgorithm(file, name, complain));
  }
  return algorithms;
}

/**
 * The algorithm that the module `file` exports by default, with the name `name`. `onMistake` receives its mistakes. Rejects
 * with one line that names the file when it is unusable.
 */
export async function loadAlgorithm(
  file: string,
  name: string,
  onMistake?: (what: string, nowMs: number) => void,
): Promise<AlgorithmFactory> {
  if (isAlgorithmName(name))
    throw new Error(`algorithm ${file} has the name of one of ours, ${name}: give the file another`);
  let exported: unknown;
  try {
    const module = (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
    exported = module.default;
  } catch (error) {
    throw new Error(`algorithm ${file} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
  }
  const algorithm = customAlgorithm(exported, name, onMistake);
  if (algorithm instanceof AlgorithmProblem) throw new Error(`algorithm ${file} ${algorithm.message}`);
  return algorithm;
}
