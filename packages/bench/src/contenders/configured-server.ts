import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, outputOf } from '../system/programs.ts';
import type { Running } from '../system/workplace.ts';
import type { Contender, StartRequest } from './contender.ts';

/** What differs from one server to another. */
export interface ServerKind {
  readonly name: string;
  /** Names that the program goes by. */
  readonly programs: readonly string[];
  readonly versionFlag: string;
  /** Finds the version in what the program says of itself. */
  readonly versionPattern: RegExp;
  readonly configName: string;
  config(request: StartRequest): string;
  arguments(configFile: string): readonly string[];
}

/** A server of this machine with one worker process or thread, configured by a file that we write. */
export function configuredServer(kind: ServerKind): Contender {
  const program = (): string | undefined => kind.programs.map(findProgram).find((path) => path !== undefined);
  return {
    name: kind.name,
    remedy: `install ${kind.programs[0]}`,
    version() {
      const path = program();
      if (path === undefined) return undefined;
      return kind.versionPattern.exec(outputOf(path, [kind.versionFlag]))?.[1] ?? 'unknown';
    },
    can: () => true,
    start(request): Promise<Running> {
      const { workplace, directory, cpus } = request;
      const configFile = join(directory, kind.configName);
      writeFileSync(configFile, kind.config(request));
      return workplace.start(kind.name, [program()!, ...kind.arguments(configFile)], {
        cpus,
        directory,
        environment: { HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory },
      });
    },
  };
}
