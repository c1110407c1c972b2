import { hostBootId } from '../kit/control.ts';

/** This host's boot; a made-up one where the kernel has none to tell. */
export function bootIdOfHost(): string {
  try {
    return hostBootId();
  } catch {
    return '00000000-0000-4000-8000-000000000000';
  }
}
