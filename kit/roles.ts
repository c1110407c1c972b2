/** The seven programs, by the name that is also their socket's, their log lines' and their proto package's. */
export const roles = ['daemon', 'graph', 'graphdriver', 'execdriver', 'volume', 'network', 'gateway'] as const;

export type Role = (typeof roles)[number];

export function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text);
}
