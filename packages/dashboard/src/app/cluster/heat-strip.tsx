/** A strip with one cell for each node. The colour is the state, the filled height the load. A cross marks a node that is out. */
import { useEffect, useRef } from 'preact/hooks';
import type { Tone } from '../../model/node-state.ts';
import { go } from '../state.ts';

export interface HeatCell {
  readonly id: string;
  readonly tone: Tone;
  readonly word: string;
  /** 0 idle … 1 full. */
  readonly busy: number;
}

/** Size of a cell with its gap, in CSS pixels; of more than `MANY` cells. */
const CELL = { width: 16, height: 20, gap: 3 };
const SMALL_CELL = { width: 7, height: 10, gap: 1 };
const MANY = 60;

export function HeatStrip({ cells, label }: { readonly cells: readonly HeatCell[]; readonly label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = useRef(cells);
  drawn.current = cells;
  const size = cells.length > MANY ? SMALL_CELL : CELL;
  useEffect(() => {
    const element = canvas.current;
    if (element) draw(element, cells, size);
  });
  useEffect(() => {
    const redraw = new ResizeObserver(() => canvas.current && draw(canvas.current, drawn.current, size));
    redraw.observe(canvas.current!.parentElement!);
    return () => redraw.disconnect();
  }, [size]);
  const cellAt = (event: MouseEvent): HeatCell | undefined => {
    const { width } = canvas.current!.getBoundingClientRect();
    const columns = columnsOf(width, size);
    const column = Math.floor(event.offsetX / (size.width + size.gap));
    return column < columns
      ? cells[Math.floor(event.offsetY / (size.height + size.gap)) * columns + column]
      : undefined;
  };
  return (
    <canvas
      ref={canvas}
      class="heat"
      role="img"
      aria-label={label}
      onMouseMove={(event) => {
        const cell = cellAt(event);
        event.currentTarget.title =
          cell === undefined ? label : `${cell.id}: ${cell.word}, ${Math.round(cell.busy * 100)} % busy`;
      }}
      onClick={(event) => {
        const cell = cellAt(event);
        if (cell) go({ view: 'node', node: cell.id });
      }}
    />
  );
}

type Size = typeof CELL;

function columnsOf(width: number, size: Size): number {
  return Math.max(1, Math.floor((width + size.gap) / (size.width + size.gap)));
}

function draw(element: HTMLCanvasElement, cells: readonly HeatCell[], size: Size): void {
  const width =
    element.parentElement!.clientWidth - 2 * Number.parseFloat(getComputedStyle(element.parentElement!).paddingLeft);
  const columns = columnsOf(width, size);
  const height = Math.max(1, Math.ceil(cells.length / columns)) * (size.height + size.gap) - size.gap;
  const scale = devicePixelRatio;
  element.style.width = `${width}px`;
  element.style.height = `${height}px`;
  element.width = Math.round(width * scale);
  element.height = Math.round(height * scale);
  const context = element.getContext('2d');
  if (!context) return;
  const style = getComputedStyle(element);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  context.scale(scale, scale);
  cells.forEach(({ tone, busy }, i) => {
    const x = (i % columns) * (size.width + size.gap);
    const y = Math.floor(i / columns) * (size.height + size.gap);
    context.fillStyle = color(`--${tone}-soft`);
    context.fillRect(x, y, size.width, size.height);
    context.fillStyle = color(`--${tone}`);
    const filled = tone === 'good' || tone === 'quiet' ? Math.max(2, busy * size.height) : size.height;
    context.fillRect(x, y + size.height - filled, size.width, filled);
    if (tone !== 'outage' && tone !== 'harm') return;
    context.strokeStyle = color('--panel');
    context.lineWidth = size.width > 10 ? 2 : 1;
    context.beginPath();
    context.moveTo(x + 3, y + 3);
    context.lineTo(x + size.width - 3, y + size.height - 3);
    if (tone === 'outage') {
      context.moveTo(x + size.width - 3, y + 3);
      context.lineTo(x + 3, y + size.height - 3);
    }
    context.stroke();
  });
}
