import type { Share } from './groups.ts';
import { micros } from './report-words.ts';
import type { Day, ReplayReport } from './report.ts';
import type { Kind } from './verdict.ts';

const width = 900;
const height = 180;
const left = 60;
const bottom = 24;

/** Differences of each day, stacked by kind. */
export function stackedDays(days: readonly Day[], present: readonly Kind[]): string {
  if (days.length === 0) return '';
  const totals = days.map(({ kinds }) => present.reduce((sum, kind) => sum + (kinds[kind] ?? 0), 0));
  const most = Math.max(1, ...totals);
  const step = (width - left) / days.length;
  const room = height - bottom - 12;
  const columns = days.map(({ day, decisions, kinds }, index) => {
    let y = height - bottom;
    const x = left + index * step;
    const parts = present.map((kind) => {
      const tall = ((kinds[kind] ?? 0) / most) * room;
      y -= tall;
      return tall === 0 ? '' : rect(kind, x + step * 0.1, y, step * 0.8, tall);
    });
    const title = `<title>${day}: ${totals[index] ?? 0} of ${decisions}</title>`;
    return `<g>${title}${rect('hit', x, 12, step, room).replace('<rect ', '<rect fill="transparent" ')}${parts.join('')}</g>`;
  });
  const every = Math.ceil(days.length / 10);
  const labels = days.flatMap(({ day }, index) =>
    index % every === 0
      ? [`<text x="${fixed(left + (index + 0.5) * step)}" y="${height - 6}" text-anchor="middle">${day.slice(5)}</text>`]
      : [],
  );
  return svg(height, 'differences of each day', [axis(most, room), ...columns, ...labels].join(''));
}

/** One bar for each value, by kind. `escaped` makes a value safe in markup. */
export function bars(shares: readonly Share[], present: readonly Kind[], escaped: (text: string) => string): string {
  const line = 24;
  const names = 320;
  const most = Math.max(1, ...shares.map(({ count }) => count));
  const rows = shares.map(({ value, count, kinds }, index) => {
    let x = names;
    const parts = present.map((kind) => {
      const long = ((kinds[kind] ?? 0) / most) * (width - names - 60);
      const part = long === 0 ? '' : rect(kind, x, index * line + 4, long, line - 8);
      x += long;
      return part;
    });
    const name = value.length > 48 ? `${value.slice(0, 47).toWellFormed()}…` : value;
    const label = `<text x="${names - 8}" y="${index * line + 17}" text-anchor="end">${escaped(name)}</text>`;
    return `<g><title>${escaped(value)}</title>${label}${parts.join('')}<text x="${fixed(x + 6)}" y="${index * line + 17}">${count}</text></g>`;
  });
  return svg(shares.length * line + 4, 'differences by value', rows.join(''));
}

/** How many evaluations took how long, in octaves; the release in force beside it. */
export function timeCurve(histogram: ReplayReport['latency']['histogram'], withBase: boolean): string {
  if (histogram.length === 0) return '';
  const most = Math.max(1, ...histogram.flatMap(({ candidate, base }) => [candidate, base]));
  const step = (width - left) / histogram.length;
  const room = height - bottom - 12;
  const share = withBase ? 0.42 : 0.84;
  const columns = histogram.map(({ from_us: fromUs, candidate, base }, index) => {
    const x = left + index * step + step * 0.08;
    const tall = (count: number): number => (count / most) * room;
    const bar = (name: string, at: number, count: number): string =>
      rect(name, at, height - bottom - tall(count), step * share, tall(count));
    const label = `<text x="${fixed(left + (index + 0.5) * step)}" y="${height - 6}" text-anchor="middle">${micros(fromUs)}</text>`;
    const title = `<title>from ${micros(fromUs)}: candidate ${candidate}${withBase ? `, in force ${base}` : ''}</title>`;
    return `<g>${title}${bar('candidate', x, candidate)}${withBase ? bar('base', x + step * share, base) : ''}${label}</g>`;
  });
  return svg(height, 'evaluations by time', [axis(most, room), ...columns].join(''));
}

function axis(most: number, room: number): string {
  const y = height - bottom;
  const line = `<line class="axis" x1="${left}" y1="${y}" x2="${width}" y2="${y}"/>`;
  return `${line}<text x="${left - 8}" y="${y}" text-anchor="end">0</text><text x="${left - 8}" y="${y - room + 10}" text-anchor="end">${most}</text>`;
}

function rect(name: string, x: number, y: number, wide: number, tall: number): string {
  return `<rect class="${name}" x="${fixed(x)}" y="${fixed(y)}" width="${fixed(wide)}" height="${fixed(tall)}"/>`;
}

function svg(tall: number, label: string, content: string): string {
  return `<svg viewBox="0 0 ${width} ${tall}" width="${width}" height="${tall}" role="img" aria-label="${label}">${content}</svg>\n`;
}

function fixed(value: number): string {
  return String(Math.round(value * 100) / 100);
}
