import { type Figure, type Goal, type Name, verdicts } from '../figure.ts';
import { ratio, summarize } from '../statistics.ts';

/** The columns of every table, as text. */
export interface Row {
  readonly title: string;
  readonly engines: Readonly<Record<Name, string>>;
  readonly ratios: Readonly<Record<'dockerd' | 'podman', string>>;
  readonly goal: string;
}

/** `detailed` adds minimum, maximum and the tail to the median. */
export function row(figure: Figure, { detailed }: { detailed: boolean }): Row {
  const cell = (name: Name) => {
    const samples = figure.samples[name];
    if (!samples?.length) return '–';
    const { count, min, median, p99, max } = summarize(samples);
    const typical = quantity(median, figure.unit);
    if (!detailed || count === 1) return typical;
    const tail = figure.hasTail ? `, p99 ${amount(p99)}` : '';
    return `${typical} (${amount(min)}–${amount(max)}${tail})`;
  };
  return {
    title: figure.title,
    engines: { longshore: cell('longshore'), dockerd: cell('dockerd'), podman: cell('podman') },
    ratios: { dockerd: times(figure, 'dockerd'), podman: times(figure, 'podman') },
    goal: verdicts(figure)
      .map(
        ({ goal, isMet, limit, reached }) => `${bound(goal, figure)} ${isMet ? '✓' : `✗ by ${excess(reached, limit)}`}`,
      )
      .join(', '),
  };
}

function times({ samples }: Figure, other: Name): string {
  const factor = ratio(samples.longshore, samples[other]);
  return factor === undefined ? '–' : `${factor < 0.1 ? factor.toFixed(3) : factor.toFixed(2)}×`;
}

function bound({ statistic, atMost, times }: Goal, { unit }: Figure): string {
  const name = statistic === 'median' ? '' : `${statistic} `;
  return times === undefined
    ? `${name}≤ ${quantity(atMost, unit)}`
    : `${name}≤ ${atMost}× ${times === 'own median' ? 'the median' : times}`;
}

function excess(reached: number, limit: number): string {
  return `${Math.round((reached / limit - 1) * 100)} %`;
}

function quantity(value: number, unit: Figure['unit']): string {
  return `${amount(value)} ${unit}`;
}

function amount(value: number): string {
  return value < 10 ? value.toFixed(value < 1 ? 2 : 1) : value.toFixed(0);
}
