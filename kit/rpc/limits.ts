/** The longest message either end takes, in bytes. */
export const maxMessageBytes = 16 * 1024 * 1024;
