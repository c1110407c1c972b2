/** For calls that wait for a process or move files; a peer that hangs is noticed by keepalive long before. */
export const patient = { deadlineMs: 600_000 };
