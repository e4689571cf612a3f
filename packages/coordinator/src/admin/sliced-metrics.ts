/**
 * Metrics with rows of many subjects (nodes, balancers), as text in the Prometheus format. Subjects are read in slices, and the event loop
 * runs between two slices. So heartbeats do not wait for a scrape of thousands of nodes.
 */

/** Subjects read in one turn of the event loop. */
export const SLICE = 100;

/** Adds one row. `labels`: those beyond the labels of the subject, e.g. `,class="2xx"`. `suffix`: of the name, e.g. `_sum`. */
export type AddRow = (value: number, labels?: string, suffix?: string) => void;

/** One metric with rows of each subject. */
export interface SlicedMetric<Subject> {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter' | 'histogram' | 'summary';
  /** Labels beyond those of the subject, for the reference. */
  readonly labels?: readonly string[];
  /** A number is one row; `undefined`: the subject has none. */
  readonly value?: (subject: Subject) => number | undefined;
  readonly rows?: (subject: Subject, add: AddRow) => void;
}

/** Text in pieces. `labelsOf`: labels of a subject, e.g. `node="a"`, with escaped values. */
export async function* slicedMetrics<Subject>(
  metrics: readonly SlicedMetric<Subject>[],
  slices: Iterable<readonly Subject[]>,
  labelsOf: (subject: Subject) => string,
): AsyncGenerator<string> {
  const texts = metrics.map(({ name, help, type }) => [`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`]);
  for (const subjects of slices) {
    const labels = subjects.map(labelsOf);
    for (const [i, metric] of metrics.entries()) texts[i]!.push(sliceText(metric, subjects, labels));
    await turn();
  }
  for (const pieces of texts) {
    yield* pieces;
    yield '\n';
  }
}

function sliceText<Subject>(
  { name, value, rows }: SlicedMetric<Subject>,
  subjects: readonly Subject[],
  labels: readonly string[],
): string {
  let text = '';
  let own = '';
  const add: AddRow = (number, more = '', suffix = '') => {
    text += `${name}${suffix}{${own}${more}} ${number}\n`;
  };
  for (const [i, subject] of subjects.entries()) {
    own = labels[i]!;
    const number = value?.(subject);
    if (number !== undefined) add(number);
    rows?.(subject, add);
  }
  return text;
}

/** Free text as the value of a label. */
export function labelValue(text: string): string {
  return text.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}

/** Resolves after the event loop has read what has arrived. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
