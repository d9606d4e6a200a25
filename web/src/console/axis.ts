/** The axis of time: which moments are written on it, and how. */

export interface Tick {
  /** Milliseconds from the beginning. */
  readonly at: number;
  readonly label: string;
}

/** Steps that people count in, in milliseconds. */
const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000,
  300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 28_800_000, 86_400_000,
];

/** So that neither a wide picture nor a wrong clock makes a page of nothing but ticks. */
const MAX_TICKS = 400;

/** The ticks of an axis of `length` milliseconds and `width` pixels, at least `apart` pixels from each other. */
export function ticks(length: number, width: number, apart: number): readonly Tick[] {
  if (!(length > 0) || !(width > 0)) return [{ at: 0, label: offset(0, 1000) }];
  const most = Math.max(1, Math.min(MAX_TICKS, Math.floor(width / apart)));
  const step = STEPS.find((step) => length / step <= most) ?? wholeDays(length / most);
  const count = Math.floor(length / step) + 1;
  return Array.from({ length: count }, (_, index) => {
    const at = index * step;
    return { at, label: offset(at, step) };
  });
}

const DAY = 86_400_000;

function wholeDays(step: number): number {
  return Math.ceil(step / DAY) * DAY;
}

/** A time since the beginning, no more exact than `step`: `350 ms`, `2.5 s`, `1:05`, `1:00:00`. */
export function offset(milliseconds: number, step = 1): string {
  const sign = milliseconds < 0 ? "−" : "";
  const size = Math.abs(milliseconds);
  if (size < 1000 && step < 1000) return `${sign}${Math.round(size)} ms`;
  if (size < 60_000) return `${sign}${seconds(size, step)} s`;
  const total = Math.floor(size / 1000);
  const [hours, minutes] = [Math.floor(total / 3600), Math.floor(total / 60) % 60];
  const rest = step < 1000 ? seconds(size % 60_000, step).padStart(4, "0") : two(total % 60);
  return hours > 0 ? `${sign}${hours}:${two(minutes)}:${rest}` : `${sign}${minutes}:${rest}`;
}

function seconds(milliseconds: number, step: number): string {
  const digits = step >= 1000 ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : 3;
  // Cut, not rounded: 59.9996 s is not yet a minute.
  const factor = 10 ** digits;
  return (Math.floor((milliseconds / 1000) * factor) / factor).toFixed(digits);
}

function two(count: number): string {
  return String(count).padStart(2, "0");
}
