// The picture of RESULTS.md: one line per row, one dot per contestant, on a logarithmic scale of its ratio to the best.
// Pure.
import { cells, digits, OWN, type Results } from './report.ts';

const WIDTH = 1_040;
const LEFT = 420;
const RIGHT = 70;
const TOP = 74;
const STEP = 27;

/** Distinguishable by lightness and shape as well as by colour. */
const LOOKS = [
  { colour: '#d1242f', shape: 'own' },
  { colour: '#57606a', shape: 'square' },
  { colour: '#0969da', shape: 'circle' },
  { colour: '#8250df', shape: 'circle' },
  { colour: '#bf8700', shape: 'triangle' },
  { colour: '#1a7f37', shape: 'circle' },
  { colour: '#bc4c00', shape: 'triangle' },
  { colour: '#1b7c83', shape: 'circle' },
  { colour: '#bf3989', shape: 'triangle' },
] as const;

const escapeText = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

function mark(x: number, y: number, { colour, shape }: (typeof LOOKS)[number], title: string): string {
  const inside = `<title>${escapeText(title)}</title>`;
  const [left, top] = [x.toFixed(1), y.toFixed(1)];
  if (shape === 'own')
    return `<circle cx="${left}" cy="${top}" r="8" fill="${colour}" stroke="#fff" stroke-width="1.5">${inside}</circle>`;
  if (shape === 'square')
    return `<rect x="${(x - 5).toFixed(1)}" y="${(y - 5).toFixed(1)}" width="10" height="10" fill="${colour}" fill-opacity="0.85">${inside}</rect>`;
  if (shape === 'triangle')
    return `<path d="M${left} ${(y - 6).toFixed(1)} l6 11 h-12 z" fill="${colour}" fill-opacity="0.85">${inside}</path>`;
  return `<circle cx="${left}" cy="${top}" r="5.5" fill="${colour}" fill-opacity="0.85">${inside}</circle>`;
}

export function renderPicture(results: Results): string {
  const entrants = results.entrants.filter(({ version }) => version !== null);
  const looks = new Map(results.entrants.map(({ name }, index) => [name, LOOKS[index % LOOKS.length] ?? LOOKS[0]]));
  const rows = results.rows
    .filter(({ row }) => row.better !== 'neither')
    .map((figures) => ({ figures, row: cells(figures, entrants) }))
    .filter(({ row }) => [...row.values()].filter(({ times }) => times.best !== null).length > 1);
  const all = rows.flatMap(({ row }) =>
    [...row.values()].flatMap(({ times }) => (times.best === null ? [] : [times.best])),
  );
  const decades = Math.max(1, Math.ceil(Math.log10(Math.max(10, ...all))));
  const place = (times: number) => LEFT + (Math.log10(Math.max(1, times)) / decades) * (WIDTH - LEFT - RIGHT);
  const height = TOP + rows.length * STEP + 40;
  const grid = Array.from({ length: decades + 1 }, (_, power) => {
    const x = place(10 ** power).toFixed(1);
    return `<line x1="${x}" y1="${TOP - 14}" x2="${x}" y2="${height - 34}" stroke="#d0d7de"/><text x="${x}" y="${height - 16}" text-anchor="middle">${power === 0 ? 'best' : `×${(10 ** power).toLocaleString('en-GB')}`}</text>`;
  });
  const lines = rows.map(({ figures, row }, index) => {
    const y = TOP + index * STEP;
    const dots = entrants
      .toSorted((a, b) => Number(a.name === OWN) - Number(b.name === OWN))
      .flatMap(({ name }) => {
        const cell = row.get(name);
        if (cell?.times.best == null) return [];
        return [
          mark(
            place(cell.times.best),
            y,
            looks.get(name) ?? LOOKS[0],
            `${name}: ${cell.value} (×${digits(cell.times.best)})`,
          ),
        ];
      });
    return `<line x1="${LEFT}" y1="${y}" x2="${WIDTH - RIGHT}" y2="${y}" stroke="#eaeef2"/><text x="${LEFT - 14}" y="${y + 4}" text-anchor="end">${escapeText(figures.row.title)}</text>${dots.join('')}`;
  });
  let at = 16;
  const legend = entrants.map(({ name }) => {
    const item = `${mark(at + 6, 24, looks.get(name) ?? LOOKS[0], name)}<text x="${at + 18}" y="28">${escapeText(name)}</text>`;
    at += 36 + name.length * 7;
    return item;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12.5" fill="#1f2328" role="img" aria-label="How many times worse than the best, row by row"><rect width="${WIDTH}" height="${height}" fill="#fff"/>
${grid.join('\n')}
${legend.join('\n')}
${lines.join('\n')}
</svg>
`;
}
