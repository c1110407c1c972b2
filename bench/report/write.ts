import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { verdicts } from '../figure.ts';
import { summarize } from '../statistics.ts';
import { page, readmeBlock } from './markdown.ts';
import { withBlock } from './markers.ts';
import type { Report } from './report.ts';

const home = resolve(import.meta.dirname, '../..');

/** Writes bench/results/<date>-<kernel>.md and .json; answers their path without the extension, from the project's folder. */
export function writeResults(report: Report): string {
  const path = `bench/results/${report.date.slice(0, 10)}-${report.host.kernel}`;
  mkdirSync(join(home, 'bench/results'), { recursive: true });
  writeFileSync(join(home, `${path}.md`), page(report));
  writeFileSync(join(home, `${path}.json`), json(report));
  return path;
}

export function writeReadme(report: Report, results: string): void {
  const path = join(home, 'README.md');
  writeFileSync(path, withBlock(readFileSync(path, 'utf8'), readmeBlock(report, `${results}.md`)));
}

/** The same figures for programs: samples with what is told of them. */
export function json(report: Report): string {
  const figures = report.figures.map((figure) => {
    const summaries = Object.fromEntries(
      Object.entries(figure.samples).flatMap(([name, samples]) =>
        samples?.length ? [[name, summarize(samples)]] : [],
      ),
    );
    return { ...figure, summaries, verdicts: verdicts(figure) };
  });
  return `${JSON.stringify({ ...report, figures }, rounded, 1)}\n`;
}

/** A thousandth of a millisecond is more than can be measured. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Math.round(value * 1_000) / 1_000 : value;
}
