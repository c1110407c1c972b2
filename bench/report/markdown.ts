import { type Name, names } from '../figure.ts';
import { row } from './cells.ts';
import { machine, programs, type Report } from './report.ts';

const method =
  'All engines run side by side on the same machine in the same minutes, each on a root, a socket and a bridge of its own, ' +
  'and with its run folder on memory, as /run is on most hosts. Before, caches are dropped and memory is compacted, so that ' +
  'what ran earlier decides nothing: warm-up first, then one run each in turn, round after round. Figures are medians. `docker` is the same client for Longshore ' +
  "and dockerd; Podman is driven by its own client, and by its service's socket for the rows that say API.";

/** The whole run as a page. */
export function page(report: Report): string {
  const notes = report.figures.flatMap((figure) => (figure.notes ?? []).map((note) => `- ${note}`));
  return [
    `# Measured on ${report.date.slice(0, 10)}`,
    `${machine(report)}. ${programs(report)}.`,
    method,
    table(report, { detailed: true }),
    'In parentheses: minimum and maximum. The goal column compares with this run alone.',
    ...(notes.length === 0 ? [] : [notes.join('\n')]),
    '',
  ].join('\n\n');
}

/** What the README tells of it: medians and ratios. */
export function readmeBlock(report: Report, link: string): string {
  const told = { ...report, figures: report.figures.filter(({ id }) => !id.endsWith('-alone')) };
  return [
    table(told, { detailed: false }),
    `${method} Taken on ${machine(report)}; ${programs(report)}. [All figures](${link}); to repeat them: \`npm run bench\`.`,
  ].join('\n\n');
}

function table(report: Report, { detailed }: { detailed: boolean }): string {
  const present = names.filter((name) => report.contestants[name] !== undefined);
  const peers = present.filter((name) => name !== 'longshore');
  const titles = [
    ...present.map((name) => report.contestants[name] ?? name),
    ...peers.map((name) => `÷ ${name}`),
    ...(detailed ? ['goal'] : []),
  ];
  const rows = report.figures.map((figure) => {
    const { title, engines, ratios, goal } = row(figure, { detailed });
    const cells = [...present.map((name: Name) => engines[name]), ...peers.map((name) => ratios[name])];
    return [title, ...cells, ...(detailed ? [goal] : [])];
  });
  const align = titles.map(() => '---:');
  return [['', ...titles], ['---', ...align], ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
