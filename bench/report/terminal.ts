import { names } from '../figure.ts';
import { row } from './cells.ts';
import { machine, programs, type Report } from './report.ts';

/** The figures as a table for the terminal, with what has to be known about them below. */
export function terminalTable(report: Report): string {
  const header = [
    '',
    ...names.map((name) => report.contestants[name] ?? `(no ${name})`),
    '÷ dockerd',
    '÷ Podman',
    'goal',
  ];
  const lines = report.figures.map((figure) => {
    const { title, engines, ratios, goal } = row(figure, { detailed: true });
    return [title.replaceAll('`', ''), ...names.map((name) => engines[name]), ratios.dockerd, ratios.podman, goal];
  });
  const notes = report.figures.flatMap((figure) => (figure.notes ?? []).map((note) => `  ${note.replaceAll('`', '')}`));
  return [
    aligned([header, ...lines]),
    'Medians, (minimum–maximum); goals are judged by this run alone.',
    ...notes,
    `${machine(report)}; ${programs(report)}`,
    '',
  ].join('\n');
}

function aligned(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  return rows
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
